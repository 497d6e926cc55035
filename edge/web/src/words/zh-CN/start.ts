import type en from "@/words/en/start";

const words: typeof en = {
  start: {
    title: "开口练面试",
    lead: "面试官提问、倾听、追问。结束后你会看到哪里可以说得更好，还能回听自己的回答。",
    role: "面试什么岗位？",
    rolePlaceholder: "后端工程师",
    roleHint: "留空则进行通用面试。",
    language: "面试语言",
    languages: { en: "English", zh: "中文" },
    adjust: "更多选项",
    adjustHint: "面试官、话题、难度、题数",
    persona: "面试官",
    personaMissing: "暂时读不到面试官列表，将由默认面试官提问。",
    tutor: "想练口语？和英语老师用英语聊",
    topics: "话题",
    topicsHint: "用逗号隔开。",
    topicsPlaceholder: "数据库，团队协作",
    topicsTooMany: "最多 20 个话题，每个不超过 100 个字符。",
    difficulty: "难度",
    difficulties: { any: "不限", easy: "简单", medium: "中等", hard: "困难" },
    rounds: "题数",
    roundsValue: "{count} 题",
    patience: "停顿",
    patiences: { brisk: "紧凑", normal: "正常", patient: "耐心" },
    patienceHint: "你停下来思考时，面试官会等多久。",
    minutes: "约 {minutes} 分钟",
    start: "开始",
    starting: "正在准备…",
    privacy: "无需账号。你说的话会为生成报告而保存，由你删除后即不再保留。",
  },
};
export default words;
