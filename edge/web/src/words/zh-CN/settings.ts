import type en from "@/words/en/settings";

const words: typeof en = {
  settings: {
    title: "设置",
    lead: "每次修改都会立即保存。",
    saved: "已保存。",
    savedHere: "已保存在本设备。",
    undo: "撤销",
    language: "页面语言",
    interview: "面试语言",
    languages: { en: "English", zh: "中文" },
    theme: "颜色",
    themes: { system: "跟随系统", light: "浅色", dark: "深色" },
    captions: "字幕",
    captionsHint: "以文字显示双方说的话。",
    captionsOn: { on: "显示", off: "隐藏" },
    motion: "动态效果",
    motionHint: "选择“减少”后，页面上不再有动画。",
    motions: { system: "跟随系统", full: "全部", reduced: "减少" },
    patience: "停顿",
    patienceHint: "你停下来思考时，面试官会等多久。",
    patiences: { brisk: "紧凑", normal: "正常", patient: "耐心" },
    retention: "面试保留时间",
    retentionHint: "超过这个时间未使用，面试会连同报告和录音一起删除。服务器可能会更早删除。",
    retentions: { server: "由服务器决定", month: "30 天", year: "一年" },
  },
};
export default words;
