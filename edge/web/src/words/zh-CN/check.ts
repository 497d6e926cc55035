import type en from "@/words/en/check";

const words: typeof en = {
  check: {
    title: "先试试声音",
    lead: "说一句话，再听三个音，只需几秒。",
    ask: "浏览器会请求使用麦克风，请选择“允许”。",
    device: "麦克风",
    level: "你的声音",
    levels: { nothing: "还没有声音，请说一句话", quiet: "偏轻，请靠近一点", good: "正常", loud: "太大，请离远一点" },
    noise: "周围环境",
    noises: { measuring: "正在听…", quiet: "安静", some: "有些噪声", loud: "较吵，建议戴耳机" },
    sound: "扬声器",
    play: "播放三个音",
    playing: "正在播放…",
    heard: "我听到了",
    heardDone: "已听到",
    echo: "回声",
    echoes: { unknown: "播放后可知", none: "没有", some: "扬声器的声音传回了麦克风，请戴耳机" },
    readyDevice: "{device} 与上次一样正常。",
    again: "重新检查",
    enter: "进入面试",
    enterAnyway: "跳过检查，直接进入",
    type: "不说话，改用打字",
    stored: "你的录音会加密保存，文字记录保存在本服务器的数据库中，都属于这场面试，删除面试即一并删除。",
    trouble: {
      denied: { title: "麦克风被阻止", advice: "点击地址栏旁的图标，允许本页面使用麦克风，然后重新检查。" },
      missing: { title: "没有找到麦克风", advice: "请接上麦克风，或改用打字回答。" },
      busy: { title: "麦克风打不开", advice: "可能被其他程序占用。请关闭那个程序后重新检查。" },
      silent: { title: "麦克风没有声音", advice: "它可能已关闭或被其他程序占用。请检查设备上的开关，或换一个麦克风。" },
      gone: { title: "麦克风已拔出", advice: "请重新接上，或换一个麦克风。" },
    },
  },
};
export default words;
