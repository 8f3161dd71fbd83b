"""Do docs/editors colour the language? (tests/editors.sh)

    editors.py every NET EXPECTED      writes a text with every word of the tables, and what each must be coloured as
    editors.py check EXPECTED VIM NET...   tokenises the files by the TextMate grammar and compares with EXPECTED, with what Vim
                                       found (the file VIM; empty: no Vim) and with a lexer of ten lines
"""
import json
import os
import re
import sys

GRAMMAR = "docs/editors/vscode/syntaxes/cnnc.tmLanguage.json"


# ---- the tables, read by their own rules ----

def table(path):
    text = re.sub(r"/\*.*?\*/", "", open(path).read(), flags=re.S)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    return [(m[1], m[2]) for m in re.finditer(r"^([A-Z_]+)\((.*?)\)$", text, flags=re.M | re.S)]


def rows(path, macro):
    """The rows of one macro: their plain words, and their strings in one piece."""
    out = []
    for name, args in table(path):
        if name == macro:
            text = "".join(re.findall(r'"([^"]*)"', args))
            out.append(([w.strip() for w in args.split('"')[0].split(",") if w.strip()], text))
    return out


def split(signature):
    """Parameters with their types."""
    depth, start = 0, 0
    for i, c in enumerate(signature + ","):
        depth += (c in "([") - (c in ")]")
        if c == "," and not depth and start < i:
            yield re.match(r"\s*(\w+)[?.]*: *(.*)", signature[start:i]).groups()
            start = i + 1


class Every:
    """A text with every word, and the class of each."""

    def __init__(self):
        self.lines, self.expected = ["cnnc 1"], [(0, 0, 4, "cnncTop")]

    def line(self, text, *words):
        """words: (word, class), each where it first stands in the text behind the one before."""
        at = 0
        for word, kind in words:
            at = text.index(word, at)
            self.expected.append((len(self.lines), at, at + len(word), kind))
            at += len(word)
        self.lines.append(text)

    def section(self, name, entries):
        self.line(f"{name} some {{", (name, "cnncSection"), ("some", "cnncName"))
        for text, words in entries:
            self.line("    " + text, *words)
        self.line("}")


def every_word():
    e = Every()
    words = {m: [r[0][0] if r[0] else r[1] for r in rows("frontend/words.def", m)]
             for m in ("KEYWORD", "TOP_WORD", "UNIT", "CONSTANT", "FIELD", "ANNOTATION", "FORK")}
    e.line('use "f" # if', ("use", "cnncTop"), ('"f"', "cnncString"), ("# if", "cnncComment"))
    for word in ("const", "option"):
        e.line(f"{word} a = 3 * 4x5", (word, "cnncTop"), ("3", "cnncNumber"), ("*", "cnncOperator"), ("4x5", "cnncSize"))
    e.line("block unit(x, k=3) {", ("block", "cnncTop"), ("unit", "cnncName"), ("k", "cnncParameter"))
    e.line("}")
    e.line("net n(image) {", ("net", "cnncTop"), ("n", "cnncName"))
    for word in [w[0][0] for w in rows("frontend/layers.def", "LAYER")] + words["FORK"]:
        e.line(f"    pad = x -> {word}(pad=1)", ("->", "cnncOperator"), (word, "cnncLayer"), ("pad", "cnncParameter"))
    for word in [r[0][0] for r in rows("frontend/builtins.def", "FUNCTION")]:
        e.line(f"    y = {word}(1)", (word, "cnncFunction"))
    for word in words["KEYWORD"]:
        e.line(f"    {word} ( 1", (word, "cnncKeyword"))
        e.line("    )")
    for word in words["CONSTANT"]:
        e.line(f"    y = {word}", (word, "cnncConstant"))
    for word in words["FIELD"]:
        e.line(f"    y = 0..{word} + x.{word}", ("..", "cnncOperator"), ("." + word, None))
        row, start, end, _ = e.expected.pop()
        e.expected.append((row, start + 1, end, "cnncField"))
    for word in words["ANNOTATION"]:
        e.line(f'    y = x -> relu@{word}("l{{a}}")', (f"@{word}", "cnncAnnotation"), ('"l', "cnncString"), ("{", "cnncEscape"),
               ("}", "cnncEscape"), ('"', "cnncString"))
    for word in words["UNIT"]:
        number = "3" + word if len(word) == 1 else "3 " + word
        e.line(f"    y = {number}", (number, "cnncNumber"))
    e.line("}")
    settings = "frontend/settings.def"
    choices, params, keys = [], [], {r[0][0]: r[1] for r in rows(settings, "SECTION")}
    calls = [(r[0][1], r[1]) for r in rows(settings, "CALL")]
    for text in list(keys.values()) + [c[1] for c in calls]:
        for name, kind in split(text):
            m = re.match(r"words?\((.*?)\)", kind)
            choices += m[1].split("|") if m else []
    keys["train"] += ", " + rows(settings, "GROUP")[0][1]
    params = sorted({p for c in calls for p, _ in split(c[1])})
    for name, text in keys.items():
        e.section(name, [(f"{k} = y", [(k, "cnncKey")]) for k, _ in split(text)])
    e.section("require", [(f"{r[0][0]} <= 3", [(r[0][0], "cnncKey"), ("<=", "cnncOperator")]) for r in rows("ir/figures.def", "FIGURE")])
    e.section("augment", [(f"{c}(3)", [(c, "cnncCall")]) for c, _ in calls])
    e.section("eval", [(f"metrics = [{c}]", [("metrics", "cnncKey"), (c, "cnncChoice")]) for c in sorted(set(choices))])
    e.section("data", [(f"val = folder({p}=1)", [("folder", "cnncCall"), (p, "cnncParameter")]) for p in params])
    known = set(keys) | {"require", "augment", "use", "const", "option", "block", "net", "cnnc"}
    for word in words["TOP_WORD"]:
        if word not in known:
            e.line(f"{word} some", (word, "cnncTop"))
    n = len(calls) + len(params) + len(choices)
    assert n > 60 and len(keys) > 3 and len(words["UNIT"]) > 15, "the tables were not read"
    return e


# ---- the grammar: what TextMate does with one, as far as this one needs it ----

class Grammar:
    def __init__(self, path):
        self.root = json.load(open(path))
        self.rules = self.root["repository"]
        self.compiled = {}
        for rule in self.rules.values():
            for key in ("match", "begin", "end"):
                if key in rule:
                    self.compiled[rule[key]] = re.compile(rule[key])

    def flat(self, patterns):
        """The rules of a list with those of the lists in it."""
        for p in patterns:
            rule = self.rules[p["include"][1:]]
            if "match" in rule or "begin" in rule:
                yield rule
            else:
                yield from self.flat(rule["patterns"])

    def candidates(self, rule):
        own = [("end", rule, rule["end"])] if "end" in rule else []
        return own + [("match" if "match" in r else "begin", r, r.get("match") or r["begin"]) for r in self.flat(rule["patterns"])]

    def line(self, text, stack, scopes):
        """Scopes of each character; changes the stack of open regions."""
        at = 0
        while at <= len(text):
            found = [(m.start(), i, what, rule, m) for i, (what, rule, p) in enumerate(self.candidates(stack[-1]))
                     if (m := self.compiled[p].search(text, at))]
            if not found:
                break
            start, _, what, rule, m = min(found, key=lambda f: f[:2])
            self.paint(scopes, at, start, stack[-1])
            inner = rule if what != "end" else stack[-1]
            self.paint(scopes, start, m.end(), inner)
            captures = rule.get("captures") or (rule.get("beginCaptures") if what == "begin" else None) or {}
            for group, capture in captures.items():
                if m[int(group)] is not None:
                    scopes[m.start(int(group)):m.end(int(group))] = [capture["name"]] * len(m[int(group)])
            if what == "begin":
                stack.append(rule)
            elif what == "end":
                stack.pop()
            at = m.end() + (what == "match" and m.end() == start)
        else:
            return
        self.paint(scopes, at, len(text), stack[-1])

    @staticmethod
    def paint(scopes, start, end, rule):
        if "name" in rule:
            scopes[start:end] = [rule["name"]] * (end - start)

    def file(self, lines):
        stack, out = [self.root], []
        for text in lines:
            scopes = [None] * len(text)
            self.line(text, stack, scopes)
            out.append(scopes)
        assert len(stack) == 1, "a region of the grammar stays open"
        return out


# ---- comparing ----

def classes():
    """TextMate's scopes as Vim's groups."""
    text = open("docs/editors/make_editors.c").read()
    pairs = re.findall(r'\{"(cnnc\w+)", "\w+", "([\w.-]+)"\}', text)
    assert len(pairs) > 15
    return {scope: group for group, scope in pairs}


def vim_classes(path):
    """File name to lines of groups; what only Vim has a name for has none."""
    files, current = {}, None
    for line in open(path).read().splitlines():
        if line.startswith("file "):
            _, name, kind = line.split(" ")
            assert kind == "cnnc", f"{name} has the file type {kind}"
            current = files[name] = []
        else:
            groups = [re.sub(r"(_\w+|Known)$", "", g) or None for g in line[1:].split(",")] if line != "|" else []
            current.append([None if g == "cnncSubstitution" else g for g in groups] or [None])
    return files


LEXER = re.compile(r'(?P<cnncComment>#.*)|(?P<cnncString>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z_]\w*)|(?P<cnncSize>\d+x\d+)|'
                   r'(?P<cnncNumber>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|.')


def check_lexer(name, number, text, got, problems):
    """Comments, strings and numbers are coloured as what they are, keywords everywhere, and nothing else."""
    keywords = {r[0][0] for r in rows("frontend/words.def", "KEYWORD")}
    units = {r[1] for r in rows("frontend/words.def", "UNIT")}
    for m in LEXER.finditer(text):
        kind, first = m.lastgroup, got[m.start()]
        if kind == "word":
            named = re.match(r"\s*=(?!=)", text[m.end():]) is not None
            wrong = first in ("cnncComment", "cnncString") or (first == "cnncNumber" and m[0] not in units)
            wrong = wrong or (m[0] in keywords and not named and first != "cnncKeyword")
        elif kind:
            wrong = first != kind or got[m.end() - 1] != kind
        else:
            wrong = m[0] in '"#'
        if wrong:
            problems.append(f"{name}:{number}:{m.start() + 1}: {m[0]} is coloured as {first}")


def check(expected, vim, nets):
    grammar, scope, problems = Grammar(GRAMMAR), classes(), []
    seen = vim_classes(vim)
    n = 0
    for path in nets:
        name = os.path.basename(path)
        lines = open(path, encoding="latin-1").read().split("\n")[:-1]
        mate = [[scope.get(s) for s in line] for line in grammar.file(lines)]
        for i, (text, got) in enumerate(zip(lines, mate)):
            n += len(text)
            if name != "every.net":
                check_lexer(name, i + 1, text, got, problems)
            for k, c in enumerate(text):
                other = seen[name][i][k] if seen else got[k]
                if not c.isspace() and other != got[k]:
                    problems.append(f"{name}:{i + 1}:{k + 1}: {c} is {got[k]} by TextMate's grammar, {other} in Vim")
        if name == "every.net":
            for row, start, end, kind in map(json.loads, open(expected)):
                bad = [g for g in mate[row][start:end] if g != kind and not lines[row][start:end].isspace()]
                if bad:
                    problems.append(f"{name}:{row + 1}:{start + 1}: {lines[row][start:end]} is {bad[0]}, not {kind}")
    print("\n".join(problems[-40:]))
    print(f"{n} characters, {len(problems)} problems{'' if seen else '; without Vim'}")
    return 1 if problems or n < 10000 else 0


if sys.argv[1] == "every":
    every = every_word()
    open(sys.argv[2], "w").write("\n".join(every.lines) + "\n")
    open(sys.argv[3], "w").write("".join(json.dumps(e) + "\n" for e in every.expected))
else:
    sys.exit(check(sys.argv[2], sys.argv[3], sys.argv[4:]))
