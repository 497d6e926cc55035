/** The room as a function: what is, and what happens, give what is next and what is to be done. */
import { PlaybackControl_Action as Action, Remedy, type InterviewEvent } from "@viva/interview/v1/conversation_pb";
import { InterviewState, Phase } from "@viva/interview/v1/interview_pb";
import { begun, interviewerLine, turnLine, UNDER_WAY, withLine, without, withWords } from "@/session/captions";
import { milliseconds } from "@/session/durations";
import { perform } from "@/session/acts";
import type { AudioFact, Effect, Input, LinkFact, SessionState, Sound, Step, Utterance } from "@/session/state";

/** Without anything for so long, what happened before the join has been told. */
const TOLD_MS = 500;
/** Utterances remembered: a late control finds its own. */
const KEPT = 8;
const NOTHING: readonly Effect[] = [];

export function reduce(state: SessionState, input: Input): Step {
  switch (input.kind) {
    case "event":
      return event(state, input.event);
    case "act":
      return perform(state, input.act);
    case "audio":
      return audio(state, input.fact);
    case "link":
      return link(state, input.fact);
    case "read":
      return read(state, input);
    case "failed":
      return { state: { ...state, failure: input.failure, leaving: false }, effects: NOTHING };
    case "tick":
      return tick(input.now > state.now ? { ...state, now: input.now } : state);
  }
}

function event(state: SessionState, happened: InterviewEvent): Step {
  if (happened.seq <= state.lastSeq) return { state, effects: NOTHING };
  // What is told of the candidate's audio is the link's to know; a join's answer is none of the log's events.
  if (happened.event.case === "audioReceived" && !happened.resumeToken) return { state, effects: NOTHING };
  const gap = happened.seq !== state.lastSeq + 1n && (state.lastSeq > 0n || happened.seq > 1n);
  const before = caughtUp(state, milliseconds(happened.at));
  const seen: SessionState = { ...before.state, lastSeq: happened.seq, resumeToken: happened.resumeToken || state.resumeToken };
  const step = told(seen, happened);
  const effects: Effect[] = [...before.effects, ...step.effects];
  if (happened.resumeToken) effects.push({ kind: "remember", token: happened.resumeToken, seq: happened.seq });
  if (gap) effects.push({ kind: "read" });
  return { state: step.state, effects };
}

function told(state: SessionState, happened: InterviewEvent): Step {
  const what = happened.event;
  switch (what.case) {
    case "stateChanged":
      return moved(state, what.value.state, what.value.phase, what.value.round);
    case "speechStarted":
      return only({ ...state, candidateSpeaks: true, waitingSince: undefined });
    case "partial": {
      const { stable, unstable } = what.value;
      if (!stable && !unstable) return only({ ...state, captions: without(state.captions, UNDER_WAY) });
      return only({
        ...state,
        candidateSpeaks: true,
        captions: withLine(state.captions, { speaker: "candidate", id: UNDER_WAY, stable, unstable, ended: false, typed: false }),
      });
    }
    case "candidateTurn": {
      const { turn } = what.value;
      const captions = without(state.captions, UNDER_WAY);
      const answered = state.utterances.some((utterance) => !utterance.ended);
      return only({
        ...state,
        candidateSpeaks: false,
        held: false,
        waitingSince: answered ? undefined : state.now,
        captions: turn ? withLine(captions, turnLine(turn)) : captions,
      });
    }
    case "turnReopened":
      return only({ ...state, waitingSince: undefined, captions: without(state.captions, what.value.turnId) });
    case "turnHeld": {
      const held = what.value.until !== undefined;
      return { state: { ...state, held, waitingSince: undefined }, effects: [{ kind: "announce", what: held ? "held" : "released" }] };
    }
    case "utteranceStarted":
      return started(state, what.value.utteranceId, what.value.format?.sampleRateHz);
    case "text": {
      const line = interviewerLine(state.captions, what.value.utteranceId) ?? begun(what.value.utteranceId, false);
      if (line.cut) return only(state);
      return only({ ...state, captions: withLine(state.captions, { ...line, text: line.text + what.value.text }) });
    }
    case "audio":
      return sound(state, what.value.utteranceId, milliseconds(what.value.offset), what.value.audio, what.value.words);
    case "utteranceEnded":
      return ended(state, what.value);
    case "playbackControl":
      return control(state, what.value.utteranceId, what.value.action);
    case "degraded":
      return degraded(state, what.value.service, what.value.recovered, what.value.remedy);
    case "reportReady":
      return { state: { ...state, interview: InterviewState.COMPLETED }, effects: [{ kind: "leave", to: "report" }] };
    case "audioReceived":
    case "timings":
    case undefined:
      return only(state);
  }
}

function only(state: SessionState): Step {
  return { state, effects: NOTHING };
}

function tick(state: SessionState): Step {
  return state.backlog && state.now - state.backlog.cameAt >= TOLD_MS ? through(state) : only(state);
}

/** Something happens at this time of the interview. */
function caughtUp(state: SessionState, atMs: number): Step {
  if (!state.backlog) return only(state);
  return atMs > state.backlog.untilMs ? through(state) : only({ ...state, backlog: { ...state.backlog, cameAt: state.now } });
}

/** All that was missed was told: what has not ended by now is being said. */
function through(state: SessionState): Step {
  const effects: Effect[] = [];
  for (const { id, sound, heldBack } of state.utterances) {
    if (heldBack.length === 0 || sound === "stopped") continue;
    effects.push(...heldBack);
    if (sound === "paused") effects.push({ kind: "sound", utteranceId: id, action: "pause" });
  }
  const utterances = state.utterances.map((utterance) => (utterance.heldBack.length > 0 ? { ...utterance, heldBack: [] } : utterance));
  return { state: { ...state, backlog: undefined, utterances }, effects };
}

function moved(state: SessionState, interview: InterviewState, phase: Phase, round: number | undefined): Step {
  const next: SessionState = { ...state, interview, phase, round: round ?? (phase === Phase.CLOSING ? state.round : undefined) };
  if (interview === state.interview) return only(next);
  switch (interview) {
    case InterviewState.PAUSED:
      return { state: quiet(next), effects: [...flush(state), { kind: "listen", on: false }, { kind: "announce", what: "paused" }] };
    case InterviewState.LIVE: {
      const back = state.interview === InterviewState.PAUSED;
      return { state: { ...next, leaving: false }, effects: back ? [{ kind: "listen", on: true }, { kind: "announce", what: "resumed" }] : NOTHING };
    }
    case InterviewState.REVIEWING:
      return { state: quiet(next), effects: [{ kind: "listen", on: false }, { kind: "announce", what: "ending" }] };
    case InterviewState.COMPLETED:
      return { state: quiet(next), effects: [{ kind: "listen", on: false }, { kind: "leave", to: "report" }] };
    case InterviewState.CANCELLED:
      return { state: quiet(next), effects: [...flush(state), { kind: "listen", on: false }, { kind: "leave", to: "start" }] };
    case InterviewState.FAILED:
      return { state: quiet(next), effects: [...flush(state), { kind: "listen", on: false }] };
    default:
      return only(next);
  }
}

/** Nobody waits for anybody any more. */
function quiet(state: SessionState): SessionState {
  return { ...state, candidateSpeaks: false, waitingSince: undefined, held: false, leaving: false, captions: without(state.captions, UNDER_WAY) };
}

function flush(state: SessionState): Effect[] {
  return state.utterances
    .filter((utterance) => utterance.rateHz !== undefined && utterance.sound !== "stopped" && !utterance.drained)
    .map((utterance) => ({ kind: "sound", utteranceId: utterance.id, action: "flush" }));
}

function withUtterance(state: SessionState, id: string, change: (utterance: Utterance) => Utterance): SessionState {
  return { ...state, utterances: state.utterances.map((utterance) => (utterance.id === id ? change(utterance) : utterance)) };
}

function find(state: SessionState, id: string): Utterance | undefined {
  return state.utterances.find((utterance) => utterance.id === id);
}

function started(state: SessionState, id: string, rateHz: number | undefined): Step {
  const fresh: Utterance = { id, rateHz, sound: "playing", playedMs: 0, drained: false, ended: false, soundMs: 0, heldBack: [] };
  // Told once more, it is where it was.
  const utterance: Utterance = { ...(find(state, id) ?? fresh), rateHz, ended: false };
  return only({
    ...state,
    waitingSince: undefined,
    utterances: [...state.utterances.filter((other) => other.id !== id), utterance].slice(-KEPT),
    captions: withLine(state.captions, begun(id, rateHz !== undefined)),
  });
}

function sound(state: SessionState, id: string, offsetMs: number, samples: Uint8Array, words: Parameters<typeof withWords>[1]): Step {
  const utterance = find(state, id);
  if (utterance?.rateHz === undefined || utterance.sound === "stopped") return only(state);
  const line = interviewerLine(state.captions, id);
  const next: SessionState = {
    ...state,
    captions: line && words.length > 0 ? withLine(state.captions, withWords(line, words)) : state.captions,
  };
  const untilMs = offsetMs + (samples.length / 2 / utterance.rateHz) * 1000;
  // Told once more, it is played already.
  if (untilMs <= utterance.soundMs) return only(next);
  const play: Sound = { kind: "play", utteranceId: id, rateHz: utterance.rateHz, offsetMs, audio: samples };
  const heldBack = state.backlog ? [...utterance.heldBack, play] : utterance.heldBack;
  return {
    state: withUtterance(next, id, (known) => ({ ...known, drained: false, soundMs: untilMs, heldBack })),
    effects: state.backlog ? NOTHING : [play],
  };
}

function ended(state: SessionState, end: Extract<InterviewEvent["event"], { case: "utteranceEnded" }>["value"]): Step {
  const utterance = find(state, end.utteranceId);
  const line = interviewerLine(state.captions, end.utteranceId) ?? begun(end.utteranceId, false);
  const text = end.interrupted ? (end.turn?.text ?? "") : end.turn?.text || line.text;
  // Others have heard it: here it is only read.
  const over = utterance !== undefined && utterance.heldBack.length > 0;
  const captions = text
    ? withLine(state.captions, { ...line, text, ended: true, cut: end.interrupted, sounds: line.sounds && !over })
    : without(state.captions, end.utteranceId);
  const next = withUtterance({ ...state, captions }, end.utteranceId, (known) => ({
    ...known,
    ended: true,
    sound: end.interrupted || over ? "stopped" : known.sound,
    heldBack: [],
  }));
  if (over) return only(next);
  if (utterance?.rateHz === undefined || utterance.sound === "stopped") return only(next);
  return { state: next, effects: [{ kind: "sound", utteranceId: end.utteranceId, action: end.interrupted ? "flush" : "end" }] };
}

function control(state: SessionState, id: string, action: Action): Step {
  const utterance = find(state, id);
  if (!utterance || utterance.sound === "stopped") return only(state);
  const effects = (what: "pause" | "resume" | "flush"): readonly Effect[] =>
    utterance.rateHz === undefined ? NOTHING : [{ kind: "sound", utteranceId: id, action: what }];
  switch (action) {
    case Action.PAUSE:
      return { state: withUtterance(state, id, (known) => ({ ...known, sound: "paused" })), effects: effects("pause") };
    case Action.RESUME:
      return { state: withUtterance(state, id, (known) => ({ ...known, sound: "playing" })), effects: effects("resume") };
    case Action.STOP:
      return { state: withUtterance(state, id, (known) => ({ ...known, sound: "stopped" })), effects: effects("flush") };
    case Action.UNSPECIFIED:
      return only(state);
  }
}

function degraded(state: SessionState, service: string, recovered: boolean, remedy: Remedy): Step {
  const others = Object.fromEntries(Object.entries(state.degraded).filter(([name]) => name !== service));
  if (recovered) {
    if (!Object.hasOwn(state.degraded, service)) return only(state);
    return { state: { ...state, degraded: others }, effects: [{ kind: "announce", what: "recovered", service }] };
  }
  return { state: { ...state, degraded: { ...others, [service]: remedy } }, effects: [{ kind: "announce", what: "degraded", service, remedy }] };
}

function audio(state: SessionState, fact: AudioFact): Step {
  if (fact.kind === "microphone") return only({ ...state, microphone: fact.state });
  const utterance = find(state, fact.utteranceId);
  if (!utterance || utterance.sound === "stopped") return only(state);
  const played = withUtterance(state, fact.utteranceId, (known) => ({ ...known, playedMs: fact.playedMs, drained: fact.drained }));
  const line = interviewerLine(state.captions, fact.utteranceId);
  if (!line || line.heardMs === fact.playedMs) return only(played);
  return only({ ...played, captions: withLine(state.captions, { ...line, heardMs: fact.playedMs }) });
}

function link(state: SessionState, fact: LinkFact): Step {
  switch (fact.kind) {
    case "open": {
      const back = state.link.kind === "lost";
      const effects: Effect[] = [{ kind: "announce", what: back ? "back" : "joined" }];
      const backlog = fact.unheardMs === undefined ? undefined : { untilMs: fact.unheardMs, cameAt: state.now };
      return { state: { ...state, failure: undefined, backlog, link: { kind: "open", slow: false, way: fact.way } }, effects: state.link.kind === "open" ? NOTHING : effects };
    }
    case "slow":
      return only(state.link.kind === "open" ? { ...state, link: { ...state.link, slow: fact.slow } } : state);
    case "lost": {
      const lost: SessionState = {
        ...state,
        candidateSpeaks: false,
        waitingSince: undefined,
        link: { kind: "lost", since: state.link.kind === "lost" ? state.link.since : state.now, attempt: fact.attempt },
      };
      return { state: lost, effects: state.link.kind === "lost" ? NOTHING : [{ kind: "announce", what: "lost" }] };
    }
    case "elsewhere":
      return left(state, { kind: "elsewhere" }, [{ kind: "announce", what: "elsewhere" }]);
    case "refused":
      return left(state, { kind: "refused", failure: fact.failure });
  }
}

/** What is said and heard from here on is no part of the interview. */
function left(state: SessionState, link: SessionState["link"], effects: readonly Effect[] = NOTHING): Step {
  return {
    state: { ...state, link, microphone: "off", leaving: false },
    effects: [...flush(state), { kind: "listen", on: false }, { kind: "microphone", open: false }, ...effects],
  };
}

/** What the record says, where events were missed: it knows what is over, the events what is going on. */
function read(state: SessionState, { interview, turns }: Extract<Input, { kind: "read" }>): Step {
  const settings = interview.settings;
  let captions = state.captions;
  if (turns.length > 0) {
    const known = new Set(turns.map((turn) => turn.id));
    const told = turns.map((turn) => {
      const line = interviewerLine(state.captions, turn.id);
      return line?.cut ? line : turnLine(turn);
    });
    captions = [...told, ...state.captions.filter((line) => !known.has(line.id) && !(line.speaker === "interviewer" && line.ended))].slice(-60);
  }
  const next: SessionState = {
    ...state,
    captions,
    rounds: settings?.rounds ?? state.rounds,
    language: settings?.language ?? state.language,
    patience: settings?.patience || state.patience,
  };
  // An interview that nobody has joined is told of by its first event.
  return interview.state === InterviewState.READY || interview.state === InterviewState.UNSPECIFIED
    ? only(next)
    : moved(next, interview.state, interview.phase, interview.round);
}
