"""Measures the tables of docs/performance.md anew, where they stand: see bench.sh.

A table stands between `<!-- ARGUMENTS -->` and `<!-- end -->`; ARGUMENTS are those of bench.sh that print it. A run
that fails, or that found the machine busy, leaves the old table."""
import argparse
import re
import subprocess
import sys

from common import BUSY, HERE, ROOT

PAGE = ROOT / "docs/performance.md"
TABLE = re.compile(r"<!-- ((?:nets|layers|cost)\b.*) -->\n(?:.*\n)*?<!-- end -->\n")


def replace(arguments, text):
    """Reads the page again, which somebody may have edited meanwhile."""
    marker = f"<!-- {arguments} -->\n"
    before, rest = PAGE.read_text(encoding="utf-8").split(marker, 1)
    after = rest.split("<!-- end -->\n", 1)[1]
    PAGE.write_text(f"{before}{marker}`{arguments}`:\n\n{text}<!-- end -->\n{after}", encoding="utf-8")


def main():
    p = argparse.ArgumentParser(prog="bench.sh page", description=__doc__)
    p.add_argument("start", nargs="*", metavar="START", help="tables whose arguments begin with this (all)")
    p.add_argument("--list", action="store_true", help="only name the tables")
    a = p.parse_args()
    failed = False
    for arguments in TABLE.findall(PAGE.read_text(encoding="utf-8")):
        if not arguments.startswith(tuple(a.start or [""])):
            continue
        print(f"bench.sh {arguments}", flush=True)
        if a.list:
            continue
        done = subprocess.run(["sh", HERE / "bench.sh", *arguments.split()], stdout=subprocess.PIPE, text=True,
                              check=False)
        print(done.stdout, flush=True)
        if done.returncode or BUSY in done.stdout:
            print(f"bench: the page keeps its table of {arguments}", file=sys.stderr)
            failed = True
        else:
            replace(arguments, done.stdout)
    sys.exit(70 if failed else 0)


main()
