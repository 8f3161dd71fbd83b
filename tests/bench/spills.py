"""Spills of register tiles: python3 tests/bench/spills.py FILE.s, for assembly of cnnc -S on x86-64.

Prints one line for every innermost loop that multiplies and touches the stack: kernel, multiply-adds (products where there
is no such instruction), vector loads from the stack, vector stores to it, instructions. The last line has the totals.
"""
import re
import sys

MULTIPLY = re.compile(r'\s*(vfn?m(add|sub)\d+ps|mulps)\b')
VECTOR_ON_STACK = re.compile(r'\s*v?(mov[a-z]*ps|movss|broadcastss|fn?m(add|sub)\d+ps|mulps|addps)\b.*\(%rsp')
STORE = re.compile(r'\s*v?mov[a-z]*\s+%[xyz]mm')


def innermost_loops(lines):
    """(kernel, instructions) of every label that a jump leads back to without another label between."""
    kernel, label, body = '', '', []
    for line in lines:
        if head := re.match(r'(\.?\w[\w.]*):', line):
            label, body = head.group(1), []
            if not label.startswith('.'):
                kernel = label
        elif re.match(r'\s+[a-z]', line):
            body.append(line)
            if re.match(r'\s*j[a-z]+\s+' + re.escape(label) + r'\s*$', line):
                yield kernel, body


def main(path):
    loops = spilling = spills = multiplies = 0
    with open(path, encoding='utf-8', errors='replace') as file:
        for kernel, body in innermost_loops(file.read().split('\n')):
            products = sum(1 for i in body if MULTIPLY.match(i))
            if not products:
                continue
            on_stack = [i for i in body if VECTOR_ON_STACK.match(i)]
            stores = sum(1 for i in on_stack if STORE.match(i))
            loops, multiplies, spills = loops + 1, multiplies + products, spills + len(on_stack)
            if on_stack:
                spilling += 1
                print(f'{kernel:16} {products:5} products {len(on_stack) - stores:4} loads {stores:4} stores '
                      f'{len(body):6} instructions')
    print(f'{loops} loops with {multiplies} products; {spilling} of them spill, {spills} times in all')


if __name__ == '__main__':
    main(sys.argv[1])
