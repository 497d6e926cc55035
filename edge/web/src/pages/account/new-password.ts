/** A new password: typed, checked before it is sent, set, and what the server says of it. */
import { computed, ref, shallowRef, watch } from "vue";
import { useLocale } from "@/app/locale";
import { passwordFits, refuses } from "@/pages/account/checks";
import { describe, type Failure } from "@/wire/failures";

/**
 * @param send Sets it; what is sent beside it is its own affair.
 * @param explained What a failure means here; undefined where it is told beside its field.
 */
export function useNewPassword(send: (password: string) => Promise<void>, explained: (failure: Failure) => Failure | undefined = (failure) => failure) {
  const { t } = useLocale();
  const password = ref("");
  const tried = ref(false);
  const busy = ref(false);
  const done = ref(false);
  const failure = shallowRef<Failure>();
  const guessable = ref(false);
  const wrong = computed(() => {
    if (guessable.value) return t("account.guessable");
    return tried.value && !passwordFits(password.value) ? t("account.tooShort") : "";
  });
  watch(password, () => (guessable.value = false));

  async function set(): Promise<void> {
    tried.value = true;
    if (busy.value || wrong.value) return;
    busy.value = true;
    done.value = false;
    failure.value = undefined;
    try {
      await send(password.value);
      password.value = "";
      tried.value = false;
      done.value = true;
    } catch (error) {
      const told = describe(error);
      // Of a password that fits the contract it is that others would guess it.
      guessable.value = refuses(told, "new_password");
      if (!guessable.value) failure.value = explained(told);
    } finally {
      busy.value = false;
    }
  }
  return { password, busy, done, failure, wrong, set };
}
