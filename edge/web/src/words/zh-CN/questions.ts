import type en from "@/words/en/questions";

const words: typeof en = {
  questions: {
    title: "题库",
    lead: "看看可能会问什么，选出想练的题。",
    search: "按意思搜索",
    placeholder: "与同事发生冲突",
    category: "类别",
    categories: { any: "全部", technical: "专业技术", behavioral: "行为经历", softSkills: "与人合作", selfIntroduction: "自我介绍", conversation: "英语口语" },
    difficulty: "难度",
    difficulties: { any: "不限", easy: "简单", medium: "中等", hard: "困难" },
    language: "语言",
    found: "没有找到题目 | 显示 {count} 道题 | 显示 {count} 道题",
    more: "显示更多",
    none: "没有合适的题目",
    noneText: "去掉一个筛选条件，或换一种说法。",
    points: "好回答应有的要点",
    choose: "选择",
    chosen: "已选",
    basket: "已选 {count} / 10",
    clear: "清空",
    practise: "练习这些题",
    preparing: "正在准备…",
  },
};
export default words;
