/** The page's only sound context. It begins in a click: browsers allow it nowhere else. */
import captureUrl from "@/audio/capture.worklet.ts?worker&url";
import playbackUrl from "@/audio/playback.worklet.ts?worker&url";

let context: AudioContext | undefined;
let loaded: Promise<void> | undefined;

/** Begins the context at the device's own rate; to be called in the click itself. */
export function wakeSound(): void {
  if (!context) {
    // Safari otherwise routes the sound of a page that records to the earpiece.
    const session = (navigator as { audioSession?: { type: string } }).audioSession;
    if (session) session.type = "play-and-record";
    context = new AudioContext({ latencyHint: "interactive" });
  }
  if (context.state !== "running") void context.resume();
}

/** Tells when a phone call or the system takes the sound away, or gives it back; ends with the function given back. */
export function watchSound(changed: (awake: boolean) => void): () => void {
  const watched = context;
  const told = () => changed(soundIsAwake());
  watched?.addEventListener("statechange", told);
  return () => watched?.removeEventListener("statechange", told);
}

/** Whether sound can be heard now. */
export function soundIsAwake(): boolean {
  return context?.state === "running";
}

/** The context with its worklets. */
export async function soundContext(): Promise<AudioContext> {
  wakeSound();
  const begun = context as AudioContext;
  loaded ??= Promise.all([begun.audioWorklet.addModule(captureUrl), begun.audioWorklet.addModule(playbackUrl)]).then(() => undefined);
  await loaded;
  return begun;
}
