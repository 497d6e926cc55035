/**
 * Who the page calls as. The access token lives in memory; the refresh token is a cookie that no script
 * can read. A refresh token is good once, so that all tabs of a browser renew one after the other.
 */
import { Code, ConnectError, type Client } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { shallowRef } from "vue";
import type { AccountService, CreateGuestRequestSchema } from "@viva/account/v1/account_service_pb";
import type { Account, Credentials as Granted } from "@viva/account/v1/account_pb";
import { readText, writeSetting } from "@/app/device-settings";
import { chosenPatience, keepPatience } from "@/app/patience";
import { reasonOf } from "@/wire/failures";

/** A token that ends sooner is renewed before it is used. */
const EARLY_MS = 60_000;
const KNOWN = "known";
const LOCK = "viva.credentials";

type Accounts = Pick<Client<typeof AccountService>, "createGuest" | "refresh">;

interface Browser {
  now(): number;
  /** Runs work that no other tab does at the same time. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  remember(known: boolean): void;
  remembered(): boolean;
}

const browser: Browser = {
  now: () => Date.now(),
  alone: (work) => ("locks" in navigator ? navigator.locks.request(LOCK, work) : work()),
  remember: (known) => writeSetting(KNOWN, known ? "yes" : "no"),
  remembered: () => readText(KNOWN) === "yes",
};

export class Credentials {
  /** Whose the credentials are; undefined when nobody is signed in, or it isn't known yet. */
  readonly account = shallowRef<Account>();
  private access: { token: string; ends: number } | undefined;
  private renewing: Promise<string | undefined> | undefined;
  private readonly listeners = new Set<(token: string) => void>();

  constructor(
    private readonly accounts: Accounts,
    private readonly on: Browser = browser,
  ) {}

  /** A token that is good for a while; undefined when nobody is signed in. */
  async token(): Promise<string | undefined> {
    if (this.access && this.access.ends - this.on.now() > EARLY_MS) return this.access.token;
    if (!this.access && !this.on.remembered()) return undefined;
    return this.renew(this.access?.token);
  }

  /**
   * The next token in place of `refused`; undefined when there is none to be had: the session is over.
   *
   * @throws ConnectError When it could not be found out.
   */
  renew(refused: string | undefined): Promise<string | undefined> {
    if (this.access && this.access.token !== refused && this.access.ends > this.on.now()) {
      return Promise.resolve(this.access.token);
    }
    this.renewing ??= this.on
      .alone(() => this.refresh())
      .finally(() => {
        this.renewing = undefined;
      });
    return this.renewing;
  }

  private async refresh(raced = false): Promise<string | undefined> {
    try {
      const { credentials } = await this.accounts.refresh({});
      return this.adopt(credentials);
    } catch (error) {
      // Another window was quicker, where browsers have no locks: the cookie is the next one now.
      if (!raced && reasonOf(error) === "REFRESH_RACED") return this.refresh(true);
      if (ConnectError.from(error).code !== Code.Unauthenticated) throw error;
      this.forget();
      return undefined;
    }
  }

  /** Whoever is signed in goes on; anybody else becomes a guest. */
  async somebody(settings: MessageInitShape<typeof CreateGuestRequestSchema>["settings"] = {}): Promise<void> {
    if ((await this.token()) !== undefined) return;
    await this.on.alone(async () => {
      const { credentials } = await this.accounts.createGuest({ settings: settings ?? {} });
      this.adopt(credentials);
    });
  }

  /** Takes what a log-in, a registration or a renewal gave. */
  adopt(granted: Granted | undefined): string {
    if (!granted?.accessToken) throw new ConnectError("no credentials in the answer", Code.Internal);
    const lifetime = granted.accessTokenLifetime;
    const seconds = lifetime ? Number(lifetime.seconds) : 0;
    this.access = { token: granted.accessToken, ends: this.on.now() + seconds * 1000 };
    if (granted.account) this.knows(granted.account);
    this.on.remember(true);
    for (const listener of this.listeners) listener(granted.accessToken);
    return granted.accessToken;
  }

  /** Takes what is read of the account; what was chosen on another device holds on this one. */
  knows(account: Account): void {
    this.account.value = account;
    const patience = chosenPatience(account.settings);
    if (patience) keepPatience(patience);
  }

  /** Tells of every new token, until the function given back is called. */
  onRenewal(listener: (token: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Signed out. */
  forget(): void {
    this.access = undefined;
    this.account.value = undefined;
    this.on.remember(false);
  }
}
