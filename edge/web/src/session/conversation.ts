/** A room that is open: feeds the reducer, and does what it wants. The only place with effects. */
import { shallowRef, type ShallowRef } from "vue";
import { AudioEncoding } from "@viva/serving/v1/serving_pb";
import type { Turn } from "@viva/interview/v1/turn_pb";
import { InterviewState } from "@viva/interview/v1/interview_pb";
import { FLOOR_DB, Meter } from "@/audio/level";
import { Loudspeaker, type Heard } from "@/audio/loudspeaker";
import { Microphone } from "@/audio/microphone";
import { duration } from "@/session/durations";
import { Link } from "@/session/link";
import { forget, recall, remember } from "@/session/memory";
import { Outbox, RATE_HZ } from "@/session/outbox";
import { reduce } from "@/session/reduce";
import { hears, initialState, isLeft, type Act, type Announcement, type Effect, type Input, type SessionState } from "@/session/state";
import { describe, failureOf } from "@/wire/failures";
import type { Wire } from "@/wire/clients";

const PIECE_MS = 40;
/** How often it is seen to that the token lasts: a conversation may outlive several. */
const TOKEN_MS = 20_000;

export interface RoomListener {
  announce: (what: Announcement, service?: string) => void;
  leave: (to: "report" | "start") => void;
}

export class Conversation {
  readonly state: ShallowRef<SessionState>;
  /** How loud the candidate is, dBFS; apart from the state: it changes 25 times a second. */
  readonly level: ShallowRef<number> = shallowRef(FLOOR_DB);
  /** How loud the interviewer is played, dBFS. */
  readonly played: ShallowRef<number> = shallowRef(FLOOR_DB);

  private readonly meter = new Meter();
  private readonly microphone: Microphone;
  private readonly loudspeaker: Loudspeaker;
  private outbox = new Outbox();
  private link: Link | undefined;
  private running: Promise<void> | undefined;
  private token: string | undefined;
  private open = false;
  private entering = 0;
  private spoken = false;
  private tokenSeen = 0;
  private readonly reading = new AbortController();

  constructor(
    private readonly wire: Wire,
    private readonly interviewId: string,
    private readonly listener: RoomListener,
  ) {
    this.state = shallowRef(initialState(interviewId, performance.now()));
    this.microphone = new Microphone({
      captured: ({ audio, db }) => this.captured(audio, db),
      trouble: (what) => this.take({ kind: "audio", fact: { kind: "microphone", state: what } }),
      works: () => this.take({ kind: "audio", fact: { kind: "microphone", state: "on" } }),
    });
    this.loudspeaker = new Loudspeaker({
      heard: (heard) => this.heard(heard),
      tick: (db) => {
        this.played.value = db;
        this.tick();
      },
    });
  }

  /** Joins. `spoken`: with the microphone; without it answers are typed. */
  async start(spoken: boolean): Promise<void> {
    this.open = true;
    this.spoken = spoken;
    addEventListener("offline", this.wentOffline);
    addEventListener("pagehide", this.kept);
    navigator.mediaDevices?.addEventListener("devicechange", this.pluggedIn);
    const before = recall(this.interviewId);
    await this.read();
    if (!this.open) return;
    this.take({ kind: "tick", now: performance.now() });
    if (before) {
      this.token = before.token;
      this.state.value = { ...this.state.value, lastSeq: before.seq, resumeToken: before.token };
    }
    await this.enter();
    if (this.open && spoken && !isLeft(this.state.value)) await this.microphone.open();
  }

  act(act: Act): void {
    this.take({ kind: "act", act });
  }

  /** Whoever typed so far speaks from here on: joins again with the microphone. */
  speak(): void {
    this.spoken = true;
    this.act({ kind: "use-here" });
  }

  /** Opens the microphone, the one that is chosen now. */
  async openMicrophone(): Promise<void> {
    await this.microphone.open();
  }

  async close(): Promise<void> {
    this.open = false;
    this.entering += 1;
    removeEventListener("offline", this.wentOffline);
    removeEventListener("pagehide", this.kept);
    navigator.mediaDevices?.removeEventListener("devicechange", this.pluggedIn);
    this.kept();
    this.reading.abort();
    this.link?.close();
    this.microphone.close();
    this.loudspeaker.close();
    await this.running;
  }

  /** Whoever lost the microphone and plugs one in need not be asked. */
  private readonly pluggedIn = () => {
    const { microphone } = this.state.value;
    if (isLeft(this.state.value)) return;
    if (microphone === "gone" || microphone === "missing") void this.microphone.open();
  };

  private readonly wentOffline = () => this.link?.interrupted();

  private readonly kept = () => {
    if (this.token) remember(this.interviewId, { token: this.token, seq: this.state.value.lastSeq });
  };

  private take(input: Input): void {
    const { state, effects } = reduce(this.state.value, input);
    this.state.value = state;
    for (const effect of effects) this.run(effect);
  }

  private tick(): void {
    const now = performance.now();
    this.take({ kind: "tick", now });
    this.link?.watch(now);
    if (now - this.tokenSeen < TOKEN_MS) return;
    this.tokenSeen = now;
    // Whether it could be renewed shows where the connection is made next.
    this.wire.credentials.token().catch(() => undefined);
  }

  /** Joins, once there is sound: without it the interviewer would speak and not be heard. */
  private async enter(): Promise<void> {
    const turn = ++this.entering;
    try {
      await this.loudspeaker.open();
    } catch {
      if (turn === this.entering) this.take({ kind: "link", fact: { kind: "refused", failure: failureOf("noSound") } });
      return;
    }
    // Left, or entered again, meanwhile.
    if (turn === this.entering) this.join();
  }

  private join(): void {
    const { outbox } = this;
    const link = new Link({
      wire: this.wire,
      interviewId: this.interviewId,
      outbox,
      join: () => ({
        interviewId: this.interviewId,
        // Without it the server expects typed answers.
        ...(this.spoken ? { input: { encoding: AudioEncoding.PCM_S16LE, sampleRateHz: RATE_HZ, channels: 1 } } : {}),
        ...(this.token ? { resumeToken: this.token } : {}),
      }),
      event: (event) => this.take({ kind: "event", event }),
      fact: (fact) => {
        // Whoever comes back from there is another client, and says nothing that this one has left.
        if (fact.kind === "elsewhere" || fact.kind === "refused") this.outbox = new Outbox();
        this.take({ kind: "link", fact });
      },
      forgetToken: () => {
        this.token = undefined;
        this.state.value = { ...this.state.value, lastSeq: 0n };
        void this.read();
      },
      // Joining goes on with a paused interview: that is the candidate's to do.
      over: () => OVER.has(this.state.value.interview) || this.state.value.interview === InterviewState.PAUSED,
    });
    this.link?.close();
    this.link = link;
    const before = this.running ?? Promise.resolve();
    this.running = before.then(() => link.run()).finally(() => {
      if (this.link === link) this.link = undefined;
    });
  }

  private captured(audio: Uint8Array, db: number): void {
    this.level.value = this.meter.take(db, PIECE_MS);
    if (!hears(this.state.value)) return;
    this.outbox.add(audio);
    this.link?.recorded();
  }

  private heard(heard: Heard): void {
    this.take({ kind: "audio", fact: { kind: "position", ...heard } });
    this.link?.send({
      message: {
        case: "playback",
        value: {
          utteranceId: heard.utteranceId,
          position: duration(heard.playedMs),
          finished: heard.drained,
          clientTime: duration(performance.now()),
        },
      },
    });
  }

  private run(effect: Effect): void {
    switch (effect.kind) {
      case "play":
        this.loudspeaker.play(effect.utteranceId, effect.rateHz, effect.audio);
        return;
      case "sound":
        this.loudspeaker.control(effect.utteranceId, effect.action);
        return;
      case "send":
        if (this.link) this.link.send(effect.message);
        // What is said before the first link waits for it.
        else if (!this.running) this.outbox.say(effect.message);
        return;
      case "microphone":
        if (!effect.open) this.microphone.close();
        else if (this.spoken) void this.microphone.open();
        return;
      case "remember":
        this.token = effect.token;
        this.kept();
        return;
      case "read":
        void this.read();
        return;
      case "call":
        void this.call(effect.call);
        return;
      case "join":
        void this.enter();
        return;
      case "listen":
        if (!effect.on) this.level.value = FLOOR_DB;
        return;
      case "announce":
        this.listener.announce(effect.what, effect.service);
        return;
      case "leave":
        forget(this.interviewId);
        this.token = undefined;
        this.listener.leave(effect.to);
    }
  }

  private async read(): Promise<void> {
    const interviewId = this.interviewId;
    const signal = this.reading.signal;
    try {
      const { interview } = await this.wire.interviews.getInterview({ interviewId }, { signal });
      const turns: Turn[] = [];
      if (interview && interview.turnCount > 0) {
        let pageToken = "";
        do {
          const page = await this.wire.interviews.listTurns({ interviewId, pageSize: 200, ...(pageToken ? { pageToken } : {}) }, { signal });
          turns.push(...page.turns);
          pageToken = page.nextPageToken;
        } while (pageToken);
      }
      if (interview) this.take({ kind: "read", interview, turns });
    } catch (error) {
      if (!signal.aborted) this.take({ kind: "failed", failure: describe(error) });
    }
  }

  private async call(what: "pause" | "resume" | "end"): Promise<void> {
    if (what === "resume" && !this.link) {
      await this.enter();
      return;
    }
    const { interviews } = this.wire;
    const request = { interviewId: this.interviewId };
    const options = { signal: this.reading.signal };
    try {
      const { interview } = await (what === "pause"
        ? interviews.pauseInterview(request, options)
        : what === "resume"
          ? interviews.resumeInterview(request, options)
          : interviews.endInterview(request, options));
      if (interview) this.take({ kind: "read", interview, turns: [] });
    } catch (error) {
      if (!options.signal.aborted) this.take({ kind: "failed", failure: describe(error) });
    }
  }
}

const OVER: ReadonlySet<InterviewState> = new Set([InterviewState.COMPLETED, InterviewState.CANCELLED, InterviewState.FAILED]);
