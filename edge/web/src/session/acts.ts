/** What the candidate does in the room. */
import type { Act, Effect, SessionState, Step } from "@/session/state";
import { hears, isLeft } from "@/session/state";
import { duration } from "@/session/durations";
import { isSounding } from "@/session/presence";

/** How long a turn is held open for thinking. */
const HOLD_MS = 60_000;

export function perform(state: SessionState, act: Act): Step {
  switch (act.kind) {
    case "mute":
      return listening(state, { ...state, muted: act.muted }, [{ kind: "announce", what: act.muted ? "muted" : "unmuted" }]);
    case "push-to-talk":
      return listening(state, { ...state, pushToTalk: act.on, talking: false });
    case "talk": {
      if (!state.pushToTalk || state.talking === act.held) return { state, effects: [] };
      // Whoever lets go has finished, and need not wait for silence.
      const spoke: Effect[] = act.held ? [] : [{ kind: "send", message: { message: { case: "finishTurn", value: {} } } }];
      return listening(state, { ...state, talking: act.held }, spoke);
    }
    case "done":
      return sent(state, { message: { case: "finishTurn", value: {} } });
    case "hold":
      return sent(state, { message: { case: "holdTurn", value: { limit: duration(HOLD_MS) } } });
    case "interrupt":
      return sent(state, { message: { case: "interrupt", value: {} } });
    case "type": {
      const text = act.text.trim();
      if (!text || isLeft(state)) return { state, effects: [] };
      const said = sent({ ...state, waitingSince: state.now }, { message: { case: "typed", value: { text } } });
      if (!state.utterances.some(isSounding)) return said;
      // An answer that is typed while the interviewer speaks interrupts as a spoken one does.
      return { state: said.state, effects: [{ kind: "send", message: { message: { case: "interrupt", value: {} } } }, ...said.effects] };
    }
    case "patience":
      return sent({ ...state, patience: act.patience }, { message: { case: "setPatience", value: { patience: act.patience } } });
    case "pause":
    case "resume":
    case "end":
      if (state.leaving) return { state, effects: [] };
      return { state: { ...state, leaving: true, failure: undefined }, effects: [{ kind: "call", call: act.kind }] };
    case "use-here":
    case "try-again":
      return listening(state, { ...state, link: { kind: "joining" }, failure: undefined }, [{ kind: "join" }, { kind: "microphone", open: true }]);
  }
}

function sent(state: SessionState, message: Extract<Effect, { kind: "send" }>["message"]): Step {
  return { state, effects: [{ kind: "send", message }] };
}

function listening(before: SessionState, after: SessionState, effects: readonly Effect[] = []): Step {
  const changed: Effect[] = hears(before) === hears(after) ? [] : [{ kind: "listen", on: hears(after) }];
  return { state: after, effects: [...changed, ...effects] };
}
