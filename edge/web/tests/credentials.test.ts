import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@rpc/error_details_pb";
import { AccountSchema } from "@viva/account/v1/account_pb";
import { CreateGuestResponseSchema, RefreshResponseSchema } from "@viva/account/v1/account_service_pb";
import { Patience } from "@viva/interview/v1/interview_pb";
import { afterEach, describe, expect, it, vi } from "vitest";
import { readPatience } from "@/app/patience";
import { Credentials } from "@/wire/credentials";

function setUp({ known = true, refresh }: { known?: boolean; refresh?: () => Promise<string> } = {}) {
  let now = 0;
  let calls = 0;
  let remembered = known;
  let waiting: Promise<unknown> = Promise.resolve();
  const granted = (accessToken: string) => ({ credentials: { accessToken, accessTokenLifetime: { seconds: 900n } } });
  const credentials = new Credentials(
    {
      refresh: async () => {
        calls += 1;
        return create(RefreshResponseSchema, granted(refresh ? await refresh() : `token-${calls}`));
      },
      createGuest: async () => create(CreateGuestResponseSchema, granted("guest")),
    },
    {
      now: () => now,
      alone: (work) => {
        const done = waiting.then(work);
        waiting = done.catch(() => undefined);
        return done;
      },
      remember: (value) => {
        remembered = value;
      },
      remembered: () => remembered,
    },
  );
  return { credentials, calls: () => calls, remembered: () => remembered, pass: (ms: number) => (now += ms) };
}

describe("credentials", () => {
  it("are renewed once for all that ask at the same time", async () => {
    const { credentials, calls } = setUp();
    expect(await Promise.all([credentials.token(), credentials.token(), credentials.token()])).toEqual(["token-1", "token-1", "token-1"]);
    expect(calls()).toBe(1);
  });

  it("are renewed a minute before they end", async () => {
    const { credentials, pass } = setUp();
    await credentials.token();
    pass(839_000);
    expect(await credentials.token()).toBe("token-1");
    pass(2_000);
    expect(await credentials.token()).toBe("token-2");
  });

  it("a token that was refused is renewed, one that was renewed meanwhile is not", async () => {
    const { credentials, calls } = setUp();
    const first = await credentials.token();
    const second = await credentials.renew(first);
    expect(await credentials.renew(first)).toBe(second);
    expect(calls()).toBe(2);
  });

  it("whoever was never here asks for nothing", async () => {
    const { credentials, calls } = setUp({ known: false });
    expect(await credentials.token()).toBeUndefined();
    expect(calls()).toBe(0);
  });

  it("a session that is over signs out", async () => {
    const { credentials, remembered } = setUp({ refresh: () => Promise.reject(new ConnectError("x", Code.Unauthenticated)) });
    expect(await credentials.token()).toBeUndefined();
    expect(remembered()).toBe(false);
  });

  it("another window that was quicker is waited for", async () => {
    let races = 1;
    const raced = new ConnectError("x", Code.Aborted, undefined, [{ desc: ErrorInfoSchema, value: { reason: "REFRESH_RACED" } }]);
    const { credentials } = setUp({ refresh: () => (races-- > 0 ? Promise.reject(raced) : Promise.resolve("next")) });
    expect(await credentials.token()).toBe("next");
  });

  it("a server that cannot be reached does not sign out", async () => {
    const { credentials, remembered } = setUp({ refresh: () => Promise.reject(new ConnectError("x", Code.Unavailable)) });
    await expect(credentials.token()).rejects.toThrow();
    expect(remembered()).toBe(true);
  });

  it("nobody becomes a guest, somebody stays who they are", async () => {
    const nobody = setUp({ known: false });
    await nobody.credentials.somebody();
    expect(await nobody.credentials.token()).toBe("guest");
    const member = setUp();
    await member.credentials.somebody();
    expect(await member.credentials.token()).toBe("token-1");
  });
});

describe("what the account says", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("holds on this device: patience that was chosen on another one", () => {
    const kept = new Map<string, string>();
    vi.stubGlobal("localStorage", { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) });
    const { credentials } = setUp();
    const account = (patience: Patience) => create(AccountSchema, { settings: { patience } });
    credentials.knows(account(Patience.PATIENT));
    expect(readPatience()).toBe("patient");
    // Where nobody chose, this device's own choice stays.
    credentials.knows(account(Patience.UNSPECIFIED));
    expect(readPatience()).toBe("patient");
  });

  it("is known as soon as somebody logs in", () => {
    const kept = new Map<string, string>();
    vi.stubGlobal("localStorage", { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) });
    const { credentials } = setUp();
    const granted = { accessToken: "t", accessTokenLifetime: { seconds: 900n }, account: { settings: { patience: Patience.BRISK } } };
    credentials.adopt(create(CreateGuestResponseSchema, { credentials: granted }).credentials);
    expect(readPatience()).toBe("brisk");
  });
});
