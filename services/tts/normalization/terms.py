"""Words of the trade that are not said as they are spelled.

Keys are in lower case, with what tells a term from a common word kept elsewhere; in a reading a
single capital is a letter's name.
"""

from __future__ import annotations

from services.tts.normalization.letters import with_names

_READINGS = {
    "k8s": "kubernetes", "i18n": "internationalization", "l10n": "localization",
    "a11y": "accessibility", "o11y": "observability", "e2e": "end to end", "b2b": "B to B",
    "b2c": "B to C", "c2c": "C to C", "p2p": "peer to peer", "h2o": "H two O",
    "nginx": "engine X", "kubectl": "kube control", "etcd": "E T C D", "systemd": "system D",
    "json": "jason", "yaml": "yammel", "yml": "yammel", "toml": "tommel", "ascii": "askey",
    "saas": "sass", "paas": "pass", "sql": "S Q L", "sqlite": "S Q lite",
    "postgresql": "postgres Q L", "ios": "I O S", "iot": "I O T", "phd": "P H D", "msc": "M S C",
    "ddos": "D doss", "cuda": "cooda", "sigterm": "sig term", "sigkill": "sig kill",
    "sigint": "sig int", "sighup": "sig hup", "sigsegv": "sig seg V", "todo": "to do",
    "readme": "read me", "quic": "quick", "cors": "cores", "sha": "shah", "fifo": "fifo",
    "id": "I D", "ids": "I D's", "ok": "okay", "std": "standard", "vlan": "V lan",
    "dram": "D ram", "sram": "S ram", "jpeg": "J peg", "ldap": "L dap", "owasp": "oh wasp",
    "poc": "P O C", "latex": "lay tech", "aka": "A K A", "faq": "F A Q", "yagni": "yagni",
    "stdin": "standard in", "stdout": "standard out", "stderr": "standard error",
    "restful": "restful", "devops": "dev ops", "mlops": "M L ops", "gitops": "git ops",
    "github": "git hub", "gitlab": "git lab",
    "regexp": "reg exp", "vram": "V ram", "pytorch": "pie torch", "llama": "llama",
    "asyncio": "async I O", "numpy": "num pie", "scipy": "sigh pie", "pypi": "pie P I",
    "mutex": "mutex", "websocket": "web socket", "ide": "I D E", "qps": "Q P S", "rpm": "R P M",
    "tps": "T P S", "api": "A P I", "apis": "A P I's", "url": "U R L", "urls": "U R L's",
    "oauth": "O auth", "ipv": "I P V", "vs": "versus", "etc": "et cetera", "dba": "D B A",
    "ui": "U I", "ux": "U X", "ai": "A I", "io": "I O", "uk": "U K", "gui": "gooey",
    "aws": "A W S", "cpu": "C P U", "gpu": "G P U", "ebpf": "E B P F", "uuid": "U U I D",
    "utc": "U T C", "utf": "U T F", "oidc": "O I D C", "iaas": "I as", "eof": "E O F",
    "http": "H T T P", "https": "H T T P S", "www": "W W W", "html": "H T M L", "py": "P Y",
    "ieee": "I triple E", "cia": "C I A", "usa": "U S A", "ceo": "C E O", "cto": "C T O",
}  # fmt: skip
# Said as in the table only when in capitals: in lower case they are words, or names of their own.
_CAPITALS_ONLY = frozenset({"cores", "pass", "ide", "latex", "sass", "poc", "cia", "usa", "todo"})
_SAID = {written: with_names(said) for written, said in _READINGS.items()}


def term(word: str) -> str | None:
    """How a term is said; None if the word is none."""
    said = _SAID.get(word.lower())
    if said is None or (word.islower() and word in _CAPITALS_ONLY):
        return None
    return said


# Software whose version follows its name: "Python 3.11" is "three point eleven".
_SOFTWARE = """
version release python java kubernetes go golang node npm postgres postgresql mysql mariadb redis
ubuntu debian cuda react angular django rails ruby rust typescript swift kotlin scala spark kafka
envoy pytorch tensorflow tls ssl openssl php linux kernel android ios macos windows docker spring
boot grpc terraform helm elasticsearch kibana nginx chrome firefox flask numpy pandas gcc clang cpp
http ecmascript bootstrap hadoop hive airflow gradle maven kubectl vue svelte laravel perl lua
"""
SOFTWARE = frozenset(_SOFTWARE.split())
