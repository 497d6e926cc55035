"""`viva bench`.

A benchmark brings whole servers with it, or what it compares them with. Its command imports it, or
every other command would take a second longer to start.
"""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.markup import escape

from services.cli.bench import frame
from services.cli.bench.asr_conditions import CONDITIONS
from services.cli.bench.recordings import RecordingsUnavailableError
from services.cli.bench.running import NoMesh
from services.cli.calls import DEFAULT_ADDRESS, Address, AsJson, err, print_json, refuse, run, tell
from services.cli.sound_card import BadRecording

bench = typer.Typer(
    name="bench",
    help="Measure a running mesh. Prints figures with their targets, the machine and the commit,"
    " and writes them as JSON under --out.",
    no_args_is_help=True,
)

Out = Annotated[Path, typer.Option("--out", help="Folder for the JSON file.")]
RESULTS = Path("bench/results")


def measure(work: Coroutine[Any, Any, frame.BenchResult], out: Path, *, as_json: bool) -> None:
    """Runs a benchmark, prints and keeps what it found."""
    steal = frame.Steal()
    try:
        with err.status("measuring …"):
            result = run(work)
    except NoMesh as missing:
        tell(str(missing))
        raise typer.Exit(3) from None
    except (LookupError, RecordingsUnavailableError, BadRecording) as missing:
        tell(str(missing))
        raise typer.Exit(1) from None
    except httpx.HTTPError as error:
        tell(f"no metrics page answers ({type(error).__name__}): is the mesh up?")
        raise typer.Exit(1) from None
    record = frame.as_json(result, steal.percent())
    path = frame.write(record, out)
    if as_json:
        print_json(record)
    else:
        frame.show(result, record)
        err.print(f"[dim]{escape(str(path))}[/]", soft_wrap=True)


@bench.command()
def mesh(
    address: Address = DEFAULT_ADDRESS,
    direct: Annotated[
        str | None,
        typer.Option(help="The TTS server itself.", show_default="of the mesh that runs here"),
    ] = None,
    calls: Annotated[int, typer.Option(min=100, help="Calls on each way.")] = 2000,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """What the mesh listener adds to a unary call."""
    from services.cli.bench import mesh as mesh_bench

    measure(mesh_bench.run(address, direct, calls), out, as_json=as_json)


@bench.command()
def edge(
    calls: Annotated[int, typer.Option(min=100, help="Calls on each way.")] = 1000,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """What the edge adds to a unary call: where Envoy decides, and where the gateway is asked."""
    from services.cli.bench import edge as edge_bench

    measure(edge_bench.run(calls), out, as_json=as_json)


@bench.command()
def bridge(
    streams: Annotated[int, typer.Option(min=1, help="Voice streams at once.")] = 100,
    seconds: Annotated[float, typer.Option(min=1, help="How long they speak.")] = 20,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """What the WebSocket bridge costs on one core: latency, memory, slow readers. No mesh."""
    from services.cli.bench.bridge import bench as bridge_bench

    measure(bridge_bench.run(streams, seconds), out, as_json=as_json)


@bench.command()
def overload(
    address: Address = DEFAULT_ADDRESS,
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 10,
    deadline: Annotated[float, typer.Option(min=0.01, help="Of each call, in seconds.")] = 0.5,
    excess: Annotated[float, typer.Option(min=1, help="Offered work over capacity.")] = 3,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """What happens to more work than can be done: refusals, deadlines."""
    from services.cli.bench import overload as overload_bench

    measure(overload_bench.run(address, seconds, deadline, excess), out, as_json=as_json)


@bench.command()
def cancel(
    address: Address = DEFAULT_ADDRESS,
    streams: Annotated[int, typer.Option(min=10, help="Cancelled streams a method.")] = 2000,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """What thousands of cancelled streams leave behind in the servers."""
    from services.cli.bench import cancel as cancel_bench

    measure(cancel_bench.run(address, streams), out, as_json=as_json)


@bench.command()
def asr(
    address: Address = DEFAULT_ADDRESS,
    repeats: Annotated[int, typer.Option(min=1, help="Times each recording is streamed.")] = 3,
    noise_minutes: Annotated[
        float, typer.Option(min=0.1, help="How much silence and noise is streamed.")
    ] = 10,
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="A folder of recordings, each with its transcript in a .txt of the same name.",
            show_default="people reading and naming playing cards",
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Streamed and whole under this one of: {', '.join(CONDITIONS)}. Repeat for more.",
            show_default="all",
        ),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Streams at the same time for that.")] = 1,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Recognition: how soon the text is final, how right it is, what noise makes it say."""
    from services.cli.bench import asr as asr_bench

    chosen = condition or list(CONDITIONS)
    if unknown := [name for name in chosen if name not in CONDITIONS]:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(CONDITIONS)}")
    work = asr_bench.run(address, repeats, noise_minutes, recordings, chosen, at_once)
    measure(work, out, as_json=as_json)


@bench.command()
def denoise(
    address: Address = DEFAULT_ADDRESS, out: Out = RESULTS, as_json: AsJson = False
) -> None:
    """Recognition in noise: what turning the noise down first is worth."""
    from services.cli.bench import denoise as denoise_bench

    measure(denoise_bench.run(address), out, as_json=as_json)


@bench.command()
def embed(address: Address = DEFAULT_ADDRESS, out: Out = RESULTS, as_json: AsJson = False) -> None:
    """Embedding: requests a second beside sentence-transformers called one by one."""
    from services.cli.bench import embed as embed_bench

    measure(embed_bench.run(address), out, as_json=as_json)


@bench.command()
def endpointing(
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="A folder of recorded answers and ends.csv: file,end[,language,question], the end"
            " of the last word in seconds.",
            show_default="the packaged table of spoken answers",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draws the curves there, as SVG.", show_default="nowhere")
    ] = None,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """When an answer is over: delay against cut-ins, beside silence and sound alone. No mesh."""
    from services.cli.bench.endpointing import bench as endpointing_bench

    measure(endpointing_bench.run(recordings, plot), out, as_json=as_json)


@bench.command()
def llm(
    address: Address = DEFAULT_ADDRESS,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="The server's Prometheus page.", show_default="of the mesh that runs here"
        ),
    ] = None,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Generation: time to first token, tokens a second, what a cancelled call still costs."""
    from services.cli.bench import llm as llm_bench

    measure(llm_bench.run(address, metrics), out, as_json=as_json)


@bench.command()
def report(
    address: Address = DEFAULT_ADDRESS,
    judge: Annotated[
        bool, typer.Option("--judge", help="Let the language model judge on top of the rubric.")
    ] = False,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Scores: how well they follow what good, medium and poor answers are meant to be."""
    from services.cli.bench import report as report_bench

    measure(report_bench.run(address, judge=judge), out, as_json=as_json)


@bench.command()
def tts(
    address: Address = DEFAULT_ADDRESS,
    voice: Annotated[str | None, typer.Option(help="Whose; absent, the default voice.")] = None,
    asr: Annotated[str | None, typer.Option(help="The ASR server that judges.")] = None,
    language: Annotated[str, typer.Option(help="What is said: en or zh.")] = "en",
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """How quick speech is, how soon it is heard, how well it is understood."""
    from services.cli.bench import tts as tts_bench

    if language not in tts_bench.ERRORS:
        refuse(f"--language {language}: there are {', '.join(sorted(tts_bench.ERRORS))}")
    measure(tts_bench.run(address, voice, asr, language=language), out, as_json=as_json)


@bench.command()
def bargein(
    address: Address = DEFAULT_ADDRESS,
    repeats: Annotated[int, typer.Option(min=1, help="Times each sound is heard.")] = 2,
    short: Annotated[
        bool, typer.Option("--short", help="A quick look: two sounds of each kind, once.")
    ] = False,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """What is heard over the interviewer: which sounds stop them, how soon, which do not."""
    from services.cli.bench.bargein import bench as bargein_bench

    measure(bargein_bench.run(address, repeats=repeats, short=short), out, as_json=as_json)


@bench.command()
def turn(
    address: Address = DEFAULT_ADDRESS,
    repeats: Annotated[
        int, typer.Option(min=1, help="Times each recording is played to each system.")
    ] = 3,
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="A folder of answers (.wav, .flac).",
            show_default="people reading, and answers that the mesh speaks",
        ),
    ] = None,
    short: Annotated[
        bool, typer.Option("--short", help="A quick look: the four longest recordings, once.")
    ] = False,
    peer: Annotated[
        bool, typer.Option(help="Compare with Pipecat, in an environment made for it.")
    ] = True,
    plot: Annotated[
        Path | None, typer.Option(help="Where to draw how soon answers are answered, as SVG.")
    ] = None,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """From the end of speech to the answer: the mesh, the same in one process, and Pipecat."""
    from services.cli.bench.turn import bench as turn_bench

    work = turn_bench.run(
        address,
        repeats=repeats,
        folder=recordings,
        short=short,
        peer=peer,
        plot=plot,
        tell=lambda words: err.print(f"[dim]{escape(words)}[/]"),
    )
    measure(work, out, as_json=as_json)


@bench.command()
def sessions(
    most: Annotated[int, typer.Argument(min=1, help="The greatest number of candidates.")] = 100,
    address: Address = DEFAULT_ADDRESS,
    seconds: Annotated[
        float, typer.Option(min=10, help="How long each number of candidates is held.")
    ] = 45,
    short: Annotated[
        bool, typer.Option("--short", help="A quick look: 5 and MOST simulated ones, 20 s each.")
    ] = False,
    out: Out = RESULTS,
    as_json: AsJson = False,
) -> None:
    """How many candidates at once: with the running mesh's models, and with simulated engines.

    Without a mesh, only with simulated engines: what the interview server itself can carry.
    """
    from services.cli.bench import sessions as sessions_bench

    levels = sorted({min(5, most), most}) if short else []
    work = sessions_bench.run(address, most, 20 if short else seconds, levels)
    measure(work, out, as_json=as_json)
