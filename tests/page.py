"""Looks at pages of --emit=html in a headless Chromium. page.py CNNC WORK: prints a line for each test, as tests/run.sh wants."""
import os
import re
import subprocess
import sys

import browser

cnnc, work = sys.argv[1], sys.argv[2]
failed = 0

# Names and comments that must be shown, not run.
HOSTILE = """cnnc 1
# </pre><script>window.ran = 1</script><img src=x onerror="window.ran = 1"> & "quotes" 'and' <b>more</b>
input image { size = 16x16 }
block unit(x, n) { return x -> conv(n, 3, pad=1) -> relu }
net hostile(image) {
    x = image -> unit(8)
    x = concat(x, x -> unit(8), x -> maxpool(3, stride=1, pad=1))
    output scores = x -> avgpool(global=true) -> flatten -> fc(4)
}
"""

NETS = [("googlenet", "examples/googlenet.net", []), ("resnet152", "examples/resnet.net", ["-Ddepth=152"]),
        ("densenet121", "examples/densenet.net", []), ("hostile",
         work + '/\udcff\n<img src=x onerror="window.ran=1">&.net', [])]


def verdict(name, good, found=""):
    global failed
    print(("ok " if good else "FAIL ") + "page/" + name)
    if not good:
        failed += 1
        print("    " + str(found)[:1000])


def cnnc_says(*arguments):
    return subprocess.run([cnnc, *arguments], check=True, capture_output=True, text=True,
                          errors="surrogateescape").stdout


def middle(page, selector):
    """Brings an element into view; the point in its middle."""
    return page.run(f"""(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: "center", inline: "center"}});
        const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()""")


def chosen(page):
    """What is marked: rows, boxes, lines of the source."""
    return page.run("""["tbody tr.on", ".picture .on[id], .picture .on[data-g]", "pre span.on"].map(s =>
        [...document.querySelectorAll(s)].map(e => e.id))""")


def check_figures(page, name, path, options):
    summary = cnnc_says("check", "--report=summary", *options, path)
    layers, training = re.search(r"^layers +(\d+)(?:, and (\d+))?", summary, re.M).groups()
    rows = page.run("document.querySelectorAll('tbody tr').length")
    verdict(name + ": as many rows as layers", rows == int(layers) + int(training or 0), (rows, layers, training))
    boxes = page.run("document.querySelectorAll('.picture .n').length")
    verdict(name + ": as many boxes as layers", boxes == rows, boxes)
    says = [re.search(rf"^{what} +([\d,]+)", summary, re.M).group(1) for what in ("parameters", "MACs")]
    shows = page.run("['parameters', 'macs'].map(id => document.getElementById(id).textContent)")
    verdict(name + ": the totals are those of cnnc check", says == shows, (says, shows))
    sums = page.run("""[4, 5].map(k => [...document.querySelectorAll('tbody tr:not(.t)')].reduce((n, r) =>
        n + Number(r.cells[k].dataset.v), 0))""")
    verdict(name + ": the rows add up", [f"{n:,}" for n in sums] == says, (sums, says))


def check_choice(page, name):
    page.run("document.querySelector('[data-do=open]')?.click()")
    for box, row in ((3, "r3"), (6, "r6")):
        page.click(*middle(page, f"#p{box}"))
        got = chosen(page)
        line = page.run(f"document.querySelector('#r{box}').cells[2].firstChild.getAttribute('href').slice(1)")
        verdict(f"{name}: a click on box {box}", got == [[row], [f"p{box}"], [line]], got)
    page.click(*middle(page, "#r2 td:nth-child(2)"))
    got = chosen(page)
    verdict(name + ": a click on a row", got[0] == ["r2"] and got[1] == ["p2"], got)
    page.run("document.querySelector('#layers .pane').focus()")
    page.press("ArrowDown")
    got = chosen(page)
    verdict(name + ": the arrow keys", got[0] == ["r3"] and got[1] == ["p3"], got)
    line = page.run("document.querySelector('#r3').cells[2].firstChild.getAttribute('href').slice(1)")
    page.click(*middle(page, "#" + line))
    got = chosen(page)
    verdict(name + ": a click on a line", got[2] == [line] and len(got[0]) == 1, got)


def check_blocks(page, name):
    shown = "[...document.querySelectorAll('.picture [data-g]')].filter(e => e.getClientRects().length).length"
    page.run("document.querySelector('[data-do=close]').click()")
    closed = page.run(shown)
    page.run("document.querySelector('.picture .h').focus()")
    page.press("Enter")
    opened = page.run(shown)
    page.run("document.querySelector('[data-do=open]').click()")
    every = page.run(shown)
    boxes = page.run("document.querySelectorAll('.picture [data-g]').length")
    verdict(name + ": blocks close and open", closed < opened <= every == boxes, (closed, opened, every, boxes))


def check_geometry(page, name, text):
    """With every block open page.js places all as backends/grid.c did."""
    page.run("document.querySelector('[data-do=open]').click()")
    picture = text[text.index('<svg id="picture"'):]
    picture = picture[:picture.index("</svg>")]
    static = [re.findall(r'<path data-l="[^"]*" d="([^"]*)"', picture), re.findall(r' transform="([^"]*)" data-g', picture)]
    lively = page.run("""[[...document.querySelectorAll('.picture path')].map(e => e.getAttribute('d')),
        [...document.querySelectorAll('.picture [data-g]')].map(e => e.getAttribute('transform'))]""")
    wrong = [(a, b) for x, y in zip(static, lively) for a, b in zip(x, y) if a != b]
    verdict(name + ": placed as without JavaScript", static == lively and static[0], (len(wrong), wrong[:3]))


def check_page(page, name, path, options):
    file = f"{work}/{name}.html"
    cnnc_says("--emit=html", *options, path, "-o", file)
    text = open(file, encoding="utf-8").read()
    verdict(name + ": less than 1 MB", os.path.getsize(file) < 1e6, os.path.getsize(file))
    page.look()
    page.open("file://" + file)
    check_figures(page, name, path, options)
    check_choice(page, name)
    check_blocks(page, name)
    check_geometry(page, name, text)
    verdict(name + ": nothing of it was run", page.run("window.ran") is None and "<img" not in text)
    verdict(name + ": no request", page.requests() == [], page.requests())
    verdict(name + ": no message", page.complaints() == [], page.complaints())
    page.look(scheme="dark", width=400, height=800)
    page.open("file://" + file)
    wide = page.run("document.documentElement.scrollWidth - innerWidth")
    verdict(name + ": narrow and dark", wide <= 0 and page.complaints() == [], (wide, page.complaints()))
    page.look(scripts=False)
    page.open("file://" + file)
    seen = page.run("""[document.querySelectorAll('tbody tr').length, [...document.querySelectorAll('.picture .n')].filter(e =>
        e.getClientRects().length).length, document.querySelectorAll('.tools:not([hidden])').length]""")
    verdict(name + ": without JavaScript", seen[0] == seen[1] > 0 and seen[2] == 0, seen)


def main():
    path = browser.find()
    if not path:
        print("skip page: no Chromium here (Debian package chromium-headless-shell, 64 MB to fetch; setup.sh leaves it out)")
        return 0
    with open(NETS[3][1], "w", encoding="utf-8") as f:
        f.write(HOSTILE)
    page = browser.Browser(path)
    try:
        for net in NETS:
            check_page(page, *net)
    finally:
        page.close()
    return failed > 0


sys.exit(main())
