import type en from "@/words/en/shell";

const words: typeof en = {
  pages: {
    start: "面试",
    check: "麦克风检查",
    room: "面试间",
    report: "报告",
    history: "历史",
    questions: "题库",
    settings: "设置",
    account: "账号",
    reset: "新密码",
    missing: "未找到",
  },
  shell: {
    skip: "跳到正文",
    home: "Viva，返回首页",
    nav: "页面",
    theme: "主题：{theme}",
    themes: { system: "跟随系统", light: "浅色", dark: "深色" },
    offline: "网络已断开。页面仍可阅读，要发送的内容会等网络恢复后再发出。",
  },
  insecure: {
    title: "需要安全的网址",
    what: "这个页面是通过 http 打开的",
    advice: "浏览器只允许 https 或 localhost 的页面使用麦克风。",
    secure: "用 https 打开",
    operator: "如果打不开，请联系服务器的管理员配置 https。在服务器本机上也可以使用 http://localhost。",
  },
  missing: {
    title: "这里没有内容",
    text: "地址可能有误，或者内容已被删除。",
    action: "返回首页",
  },
};
export default words;
