/** The candidate's voice: frames of 16 kHz samples, how loud, and what is wrong. */
import type { Captured } from "@/audio/capture.worklet";
import { soundContext } from "@/audio/context";
import { readText, writeSetting } from "@/app/device-settings";
import type { MicrophoneTrouble } from "@/session/state";

const DEVICE = "microphone";
/** Nothing but zeros for so long: another program has the device, or it is switched off. */
const SILENT_MS = 2_000;
const PIECE_MS = 40;

export interface MicrophoneListener {
  captured: (captured: Captured) => void;
  trouble: (what: MicrophoneTrouble) => void;
  /** It works, or works again. */
  works: () => void;
}

export function chosenMicrophone(): string | undefined {
  return readText(DEVICE) ?? undefined;
}

export function chooseMicrophone(deviceId: string): void {
  writeSetting(DEVICE, deviceId);
}

/** The microphones there are; without names until one was allowed. */
export async function microphones(): Promise<MediaDeviceInfo[]> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "audioinput" && device.deviceId !== "");
}

export class Microphone {
  private stream: MediaStream | undefined;
  private source: MediaStreamAudioSourceNode | undefined;
  private worklet: AudioWorkletNode | undefined;
  private zerosMs = 0;
  private silent = false;
  /** Suppressed noise is zeros as well: only a device that never gave anything is silent. */
  private gave = false;
  private opening = 0;

  constructor(private readonly listener: MicrophoneListener) {}

  /** Opens the device that was chosen, else the system's; tells the listener how that went. */
  async open(): Promise<void> {
    this.close();
    const turn = ++this.opening;
    let stream: MediaStream;
    try {
      stream = await ask(chosenMicrophone());
    } catch (error) {
      if (turn === this.opening) this.listener.trouble(troubleOf(error));
      return;
    }
    if (turn !== this.opening) {
      stop(stream);
      return;
    }
    // From here on whoever closes this ends the stream.
    this.stream = stream;
    let context: AudioContext;
    try {
      context = await soundContext();
    } catch {
      if (turn !== this.opening) return;
      this.close();
      this.listener.trouble("unloaded");
      return;
    }
    // Closed, or opened again, meanwhile.
    if (turn !== this.opening) return;
    const [track] = stream.getAudioTracks();
    track?.addEventListener("ended", () => this.listener.trouble("gone"));
    track?.addEventListener("mute", () => this.listener.trouble("silent"));
    track?.addEventListener("unmute", () => this.listener.works());
    this.source = context.createMediaStreamSource(stream);
    this.worklet = new AudioWorkletNode(context, "viva-capture", { numberOfOutputs: 0 });
    this.worklet.port.onmessage = ({ data }: MessageEvent<Captured>) => this.took(data);
    this.source.connect(this.worklet);
    this.listener.works();
  }

  close(): void {
    this.opening += 1;
    this.source?.disconnect();
    this.worklet?.port.close();
    stop(this.stream);
    this.stream = this.source = this.worklet = undefined;
    this.zerosMs = 0;
    this.silent = this.gave = false;
  }

  get deviceId(): string | undefined {
    return this.stream?.getAudioTracks()[0]?.getSettings().deviceId;
  }

  private took(captured: Captured): void {
    this.zerosMs = captured.zeros ? this.zerosMs + PIECE_MS : 0;
    this.gave ||= !captured.zeros;
    if (!this.silent && !this.gave && this.zerosMs >= SILENT_MS) {
      this.silent = true;
      this.listener.trouble("silent");
    } else if (this.silent && this.zerosMs === 0) {
      this.silent = false;
      this.listener.works();
    }
    this.listener.captured(captured);
  }
}

function stop(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

async function ask(deviceId: string | undefined): Promise<MediaStream> {
  if (!("mediaDevices" in navigator)) throw new DOMException("no secure context", "NotAllowedError");
  const wanted = (echoCancellation: boolean | string): MediaTrackConstraints => ({
    ...(deviceId ? { deviceId: { ideal: deviceId } } : {}),
    channelCount: { ideal: 1 },
    echoCancellation: echoCancellation as boolean,
    noiseSuppression: true,
    autoGainControl: true,
  });
  try {
    // Everything this machine plays is taken out, a screen reader too, where browsers know how.
    return await navigator.mediaDevices.getUserMedia({ audio: wanted("all") });
  } catch (error) {
    if (error instanceof TypeError || (error instanceof DOMException && error.name === "OverconstrainedError")) {
      return navigator.mediaDevices.getUserMedia({ audio: wanted(true) });
    }
    throw error;
  }
}

export function troubleOf(error: unknown): MicrophoneTrouble {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotFoundError":
      return "missing";
    default:
      return "busy";
  }
}
