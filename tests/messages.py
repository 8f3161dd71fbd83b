"""Messages as programs read them: messages.py CNNC TESTS_ERRORS WORK. One line a test; exit status 1 if one failed."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

cnnc, errors, work = sys.argv[1:4]
failed = 0


def verdict(name, problem):
    global failed
    failed += bool(problem)
    print(f"FAIL {name}\n    {problem}" if problem else f"ok {name}")


def run(folder, file, *args):
    done = subprocess.run([cnnc, "--emit=graph", "-o", os.devnull, *args, file], cwd=folder, capture_output=True, timeout=60)
    return done.returncode, done.stderr.decode(errors="replace")


def arguments(path):
    with open(path, errors="replace") as f:
        found = re.findall(r"^# args (.*)", "".join(f.readlines()[:2]), re.M)
    return found[0].split() if found else []


# ---- JSON ----

PLACE = {"file": str, "line": int, "column": int, "length": int}


def check_members(what, thing, members):
    for name, kind in members.items():
        if not isinstance(thing.get(name), kind):
            return f"{what} has {name} = {thing.get(name)!r}"
    return None


def check_json(log):
    """What is wrong with a log, or None."""
    problem = check_members("log", log, {"format": int, "tool": str, "version": str, "errors": int, "warnings": int,
                                         "not_shown": int, "messages": list})
    shown = {"error": 0, "warning": 0, "note": 0}
    for m in log["messages"]:
        problem = problem or check_members("message", m, {"severity": str, "text": str, "labels": list, "notes": list, "fixes": list})
        shown[m["severity"]] += 1
        if m["severity"] != "note":
            problem = problem or check_members("message", m, {"code": str})
        if "line" in m:
            problem = problem or check_members("message", m, PLACE)
        for label in m["labels"]:
            problem = problem or check_members("label", label, {**PLACE, "text": str})
        for fix in m["fixes"]:
            problem = problem or check_members("fix", fix, {"text": str, "edits": list})
            for edit in fix["edits"]:
                problem = problem or check_members("edit", edit, {**PLACE, "replacement": str})
    if shown["error"] + log["not_shown"] != log["errors"] or shown["warning"] != log["warnings"]:
        problem = problem or f"{shown} are shown, but {log['errors']} and {log['warnings']} counted"
    return problem or check_wording(log)


def check_wording(log):
    """One line, a small letter or a quoted word first, no full stop last."""
    for m in log["messages"]:
        for text in [m["text"], *(f["text"] for f in m["fixes"])]:
            if "\n" in text.strip() and m["severity"] == "error" and text is m["text"]:
                return f"several lines: {text}"
            if re.match(r"[A-Z][a-z]", text) or re.search(r"[a-z]\.$", text):
                return f"starts with a capital or ends with a full stop: {text}"
    return None


# ---- what is proposed ----

def apply(text, edits):
    """The text, bytes, with all edits of one proposal."""
    lines = text.replace(b"\r\n", b"\n").split(b"\n")
    for e in sorted(edits, key=lambda e: (e["line"], e["column"]), reverse=True):
        line = lines[e["line"] - 1]
        start = e["column"] - 1
        assert start + e["length"] <= len(line), f"the edit {e} is outside of its line"
        lines[e["line"] - 1] = line[:start] + e["replacement"].encode() + line[start + e["length"]:]
    return b"\n".join(lines)


def same_message(before, after, added):
    """The same place, whose line may have moved down by `added`, and text. Of shapes any text: other numbers are as wrong."""
    shapes = before.get("code", "").startswith("E03")
    keys = ("file", "column", "code") if shapes else ("file", "column", "code", "text")
    lines = (before.get("line"), before.get("line", 0) + added)
    return after.get("line") in lines and all(before.get(k) == after.get(k) for k in keys)


def try_fixes(folder, file, log, args):
    """Every proposal on its own takes its message away. The number of proposals, and what is wrong."""
    path = os.path.join(folder, file)
    with open(path, "rb") as f:
        original = f.read()
    n = 0
    for m in log["messages"]:
        for fix in m["fixes"]:
            if not fix["edits"] or any(e["file"] != file for e in fix["edits"]):
                continue
            n += 1
            changed = apply(original, fix["edits"])
            with open(path, "wb") as f:
                f.write(changed)
            after = json.loads(run(folder, file, "-fdiagnostics-format=json", *args)[1])
            with open(path, "wb") as f:
                f.write(original)
            added = sum(e["replacement"].count("\n") for e in fix["edits"])
            again = [x for x in after["messages"] if same_message(m, x, added)]
            worse = after["errors"] > log["errors"] + 1
            if changed == original or again or worse:
                return n, f"{file}:{m['line']}: {m['text']}\n    proposed: {fix}\n    after: {after['messages']}"
    return n, None


# ---- SARIF ----

LEVELS = {"none", "note", "warning", "error"}


def check_region(region):
    return (region["startLine"] >= 1 and region["startColumn"] >= 1 and region["endColumn"] >= region["startColumn"]
            and region.get("endLine", region["startLine"]) >= region["startLine"])


def check_sarif(log, as_json):
    """The members that OASIS SARIF 2.1.0 requires, and their consistency."""
    if log["version"] != "2.1.0" or not log["$schema"].endswith("sarif-2.1.0.json") or len(log["runs"]) != 1:
        return "version, $schema or runs"
    run_ = log["runs"][0]
    driver = run_["tool"]["driver"]
    rules = driver["rules"]
    if driver["name"] != "cnnc" or len({r["id"] for r in rules}) != len(rules) or run_["columnKind"] not in ("utf16CodeUnits", "unicodeCodePoints"):
        return "tool.driver or columnKind"
    if len(run_["results"]) != len(as_json["messages"]):
        return f"{len(run_['results'])} results, {len(as_json['messages'])} messages"
    for r, m in zip(run_["results"], as_json["messages"]):
        if not r["message"]["text"].startswith(m["text"]) or r["level"] not in LEVELS or r["level"] != m["severity"]:
            return f"message or level of {r}"
        if "code" in m and (r["ruleId"] != m["code"] or rules[r["ruleIndex"]]["id"] != r["ruleId"]):
            return f"rule of {r}"
        places = [*r.get("locations", []), *r.get("relatedLocations", [])]
        if len(r.get("locations", [])) != ("line" in m):
            return f"locations of {r}"
        for place in places:
            if not place["physicalLocation"]["artifactLocation"]["uri"] or not check_region(place["physicalLocation"]["region"]):
                return f"place {place}"
        for related in r.get("relatedLocations", []):
            if "message" not in related or len({x["id"] for x in r["relatedLocations"]}) != len(r["relatedLocations"]):
                return f"related {related}"
        edits = [len(f["edits"]) for f in m["fixes"] if f["edits"]]
        if [len(f["artifactChanges"][0]["replacements"]) for f in r.get("fixes", [])] != edits:
            return f"fixes of {r}"
        for fix in r.get("fixes", []):
            for change in fix["artifactChanges"]:
                for x in change["replacements"]:
                    if not change["artifactLocation"]["uri"] or not check_region(x["deletedRegion"]) or "text" not in x["insertedContent"]:
                        return f"replacement {x}"
    return None


# ---- the nets ----

def check_folder(name):
    source, folder = os.path.join(errors, name), os.path.join(work, "messages", name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, ignore=lambda d, names: [n for n in names if os.path.isdir(os.path.join(d, n))])
    problems, fixes, files = {"JSON": None, "proposals": None, "SARIF": None}, 0, 0
    for path in sorted(glob.glob(os.path.join(folder, "*.net"))):
        file, args = os.path.basename(path), arguments(path)
        if any(a.startswith("-f") for a in args):
            continue
        files += 1
        text = run(folder, file, "-fdiagnostics-format=json", *args)[1]
        try:
            log = json.loads(text)
        except ValueError as e:
            if text.startswith("cnnc: error"):   # about the command line or the system: text in any case
                continue
            problems["JSON"] = problems["JSON"] or f"{file}: {e}: {text[:300]}"
            continue
        problem = check_json(log)
        problems["JSON"] = problems["JSON"] or problem and f"{file}: {problem}"
        if problem:
            continue
        n, problem = try_fixes(folder, file, log, args)
        fixes += n
        problems["proposals"] = problems["proposals"] or problem
        problem = check_sarif(json.loads(run(folder, file, "-fdiagnostics-format=sarif", *args)[1]), log)
        problems["SARIF"] = problems["SARIF"] or problem and f"{file}: {problem}"
    where = "errors/" + name if name else "errors"
    print(f"# {where}: {files} nets, {fixes} proposals")
    for kind, problem in problems.items():
        verdict(f"messages/{kind} of {where}", problem)
    verdict(f"messages/there are proposals for {where}", None if fixes else "none was found")


# ---- options ----

WARNS = """cnnc 1
option unused = 3
const idle = 4
input image { size = 8x8 }
net n(image) { output y = image -> flatten -> fc(2) }
"""


def check_options():
    folder = os.path.join(work, "messages")
    with open(os.path.join(folder, "warns.net"), "w") as f:
        f.write(WARNS)
    with open(os.path.join(folder, "wrong.net"), "w") as f:
        f.write(WARNS.replace("fc(2)", "fcc(2)"))
    cases = [   # arguments, status, how often each is shown
        ([], 0, {"warning": 2, "error": 0}),
        (["-Wall"], 0, {"warning": 2, "error": 0}),
        (["-Wno-unused-option"], 0, {"warning": 1, "error": 0}),
        (["-Wno-all"], 0, {"warning": 0, "error": 0}),
        (["-Wno-all", "-Wunused-option"], 0, {"warning": 1, "error": 0}),
        (["-Werror"], 65, {"warning": 0, "error": 2}),
        (["-Werror=unused-option"], 65, {"warning": 1, "error": 1}),
        (["-Werror", "-Wno-error=unused-option"], 65, {"warning": 1, "error": 1}),
        (["-Wno-unused-option", "-Wunused-option", "-Werror"], 65, {"warning": 0, "error": 2}),
        (["-Wno-unused-option", "-Werror"], 65, {"warning": 0, "error": 1}),
        (["-Wno-all", "-Werror"], 0, {"warning": 0, "error": 0}),
        (["-Werror", "-Wno-error"], 0, {"warning": 2, "error": 0}),
        (["-Werror", "-Wno-all"], 0, {"warning": 0, "error": 0}),
        (["-Wunused-optoin"], 64, {"warning": 0, "error": 1}),
    ]
    for args, want, counts in cases:
        status, text = run(folder, "warns.net", *args)
        found = {k: len(re.findall(rf"(?:^|: ){k}: ", text, re.M)) for k in counts}
        verdict(f"messages/{' '.join(args) or 'warnings'}", None if (status, found) == (want, counts) else f"{status} {found}\n{text}")
    plain = run(folder, "wrong.net", "--color=never")[1]
    verdict("messages/--color=never", "\033" in plain or plain != run(folder, "wrong.net")[1])
    coloured = run(folder, "wrong.net", "--color=always")[1]
    verdict("messages/--color=always", "\033[1;31m" not in coloured or re.sub(r"\033\[[0-9;]*m", "", coloured) != plain)
    status, text = run(folder, "wrong.net", "--color=sometimes")
    verdict("messages/--color=sometimes", None if status == 64 else text)
    log = json.loads(run(folder, "wrong.net", "--color=always", "-fdiagnostics-format=json")[1])
    verdict("messages/no colours in JSON", "\033" in json.dumps(log, ensure_ascii=False))


os.makedirs(os.path.join(work, "messages"), exist_ok=True)
check_options()
for each in ("", "user", "shape"):
    check_folder(each)
sys.exit(failed > 0)
