"""How long it takes to build a lab of 100 guests, beside ``ip -batch`` doing the same.

Prints how each figure was taken, then one JSON line. Needs root, or user namespaces.
"""

import io
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

from measure import in_turn, median, report

from hopback.checks.case import Case
from hopback.lab.netns.runner import NetnsRunner
from hopback.lab.plan import design
from hopback.lab.steps import Plan, encode_plan
from hopback.network.build import build
from hopback.sources.paste import read_paste

GUESTS = 100
RUNS = 7


def incident() -> str:
    """A bridge with a way out and GUESTS guests, the first of them gone astray."""
    taps = "".join(f"\t\t\t\t\t\t\ttap{n}\n" for n in range(GUESTS))
    nics = "".join(
        f" tap{n}   bridge   br0   virtio   52:54:00:00:00:{n:02x}\n" for n in range(GUESTS)
    )
    return (
        "root@kvm1:~# brctl show\n"
        "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n"
        f"br0\t\t8000.020000000001\tno\t\teth0\n{taps}"
        "root@kvm1:~# bridge fdb show br br0\n"
        "52:54:00:00:00:00 dev eth0 master br0\n"
        "root@kvm1:~# virsh domiflist vm\n"
        " Interface   Type   Source   Model   MAC\n"
        "-------------------------------------------\n"
        f"{nics}"
    )


def planned() -> Plan:
    case = Case(build(read_paste(io.BytesIO(incident().encode()), "paste")))
    station = next(s for s in case.network.stations if s.port.name == "tap0")
    return design(case.model, station, fix="sticky_entry").plan


def batch(plan: Plan, folder: Path) -> list[str]:
    """The same namespaces and links by iproute2 alone, in namespaces nobody else sees."""
    made = [f"netns add {name}" for name in plan.spaces]
    (folder / "spaces").write_text("\n".join(made))
    by_space: dict[str, list[str]] = {}
    for step in plan.steps:
        by_space.setdefault(step.space, []).append(step.line)
    commands = ["mount -t tmpfs none /run", "ip -batch spaces"]
    for space, lines in by_space.items():
        (folder / f"in-{space}").write_text("\n".join(lines))
        commands.append(f"ip -n {space} -batch in-{space}")
    script = f"cd {folder} && " + " && ".join(commands)
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", "--net", "sh", "-ec", script]


def main() -> None:
    plan = planned()
    empty = Plan(plan.spaces, plan.steps, (), (), plan.bridges, plan.late)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plan.json").write_bytes(encode_plan(empty))
        ours = ["sh", "-c", f"exec {sys.executable} -m hopback.lab.netns <{folder}/plan.json"]
        commands = [ours, batch(plan, folder), [sys.executable, "-c", "import msgspec"]]
        lab, plain, python = (median(runs, lambda r: r.wall) for runs in in_turn(commands, RUNS))
    built = statistics.median(NetnsRunner().run(empty).built_in for _ in range(RUNS))
    print(f"a bridge with {GUESTS} guests, each in a namespace of its own, a switch and a server;")
    print(f"  {RUNS} runs each in turn, medians, wall time:")
    print(f"  building, as the lab takes it (up to all ports forwarding): {built * 1e3:.0f} ms")
    print(f"  the lab's whole process, built, left and taken down: {lab * 1e3:.0f} ms,")
    print(f"    of which Python starting and importing msgspec: {python * 1e3:.0f} ms")
    print(f"  the same links by `ip -batch`, whole process: {plain * 1e3:.0f} ms")
    report(
        "lab",
        {
            "guests": GUESTS,
            "built_ms": round(built * 1e3, 1),
            "process_ms": round(lab * 1e3, 1),
            "ip_batch_ms": round(plain * 1e3, 1),
            "python_ms": round(python * 1e3, 1),
            "kernel": platform.release(),
        },
    )


if __name__ == "__main__":
    main()
