/** The page's only sound context. It begins in a click: browsers allow it nowhere else. */
import captureUrl from "@/audio/capture.worklet.ts?worker&url";
import playbackUrl from "@/audio/playback.worklet.ts?worker&url";

let context: AudioContext | undefined;
const modules = new Map<string, { attempts: number; loaded: Promise<void> | undefined }>();

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

/**
 * The context with its worklets.
 *
 * @throws DOMException When they could not be loaded; asking again tries again.
 */
export async function soundContext(): Promise<AudioContext> {
  wakeSound();
  const begun = context as AudioContext;
  await Promise.all([module(begun, captureUrl), module(begun, playbackUrl)]);
  return begun;
}

/** Loads a worklet once; what could not be loaded is fetched again by whoever asks next. */
function module(begun: AudioContext, url: string): Promise<void> {
  const known = modules.get(url) ?? { attempts: 0, loaded: undefined };
  modules.set(url, known);
  // A worklet remembers what an address gave it, a failure as well: only another address is asked for.
  known.loaded ??= begun.audioWorklet.addModule(known.attempts === 0 ? url : `${url}?attempt=${known.attempts}`).catch((error: unknown) => {
    known.attempts += 1;
    known.loaded = undefined;
    throw error;
  });
  return known.loaded;
}
