"""Runs plans in a user-mode kernel: the namespaces' runner, one kernel further in."""

import shutil

from hopback.lab.observed import Observed, decode_observed
from hopback.lab.steps import Facility, Plan, Refused, encode_plan
from hopback.lab.uml.boot import run_python
from hopback.lab.uml.find import UmlError, UmlMissing

_BOOT_SECONDS = 60.0
_ALWAYS = ("af_packet",)
_FACILITIES: tuple[Facility, ...] = ("bonding", "8021q", "ipv6", "br_netfilter", "ip_vs")


def facilities() -> tuple[Facility, ...]:
    """What Debian's user-mode kernel has; of nf_tables it has the bridge family alone."""
    return (*_FACILITIES, "nf_tables") if shutil.which("nft") else _FACILITIES


class UmlRunner:
    """Plays plans in a machine of its own, as any user."""

    def run(self, plan: Plan) -> Observed:
        """Boot, play ``plan``, halt. Refused where that kernel is not there or says no."""
        try:
            done = run_python(
                "hopback.lab.netns",
                ["--log"],
                given=encode_plan(plan),
                modules=(*_ALWAYS, *plan.needs()),
                seconds=plan.seconds + _BOOT_SECONDS,
            )
        except UmlMissing as missing:
            raise Refused(str(missing), denied=True) from missing
        except UmlError as error:
            raise Refused(f"the user-mode kernel: {error}") from error
        if not done.output:
            said = done.errors.decode(errors="replace").strip().rpartition("\n")[2]
            raise Refused(f"the lab in the user-mode kernel ended with {said or done.code}")
        observed = decode_observed(done.output)
        if observed.refused is not None:
            raise Refused(observed.refused, denied=observed.denied)
        return observed
