/** Keeps the screen on, as long as browsers can; the function given back lets it go. */
export function holdWakeLock(): () => void {
  if (!("wakeLock" in navigator)) return () => undefined;
  let held: WakeLockSentinel | undefined;
  let wanted = true;
  const ask = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      held = await navigator.wakeLock.request("screen");
      if (!wanted) await held.release();
    } catch {
      // A low battery refuses: the interview goes on without.
    }
  };
  // A tab that was hidden has lost it.
  document.addEventListener("visibilitychange", ask);
  void ask();
  return () => {
    wanted = false;
    document.removeEventListener("visibilitychange", ask);
    void held?.release();
  };
}
