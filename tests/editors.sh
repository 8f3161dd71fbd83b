#!/bin/sh
# docs/editors: the files for Vim and for editors with TextMate grammars are what the compiler's tables say, and colour
# every word of the language as what it is. `sh tests/editors.sh CNNC --update` writes them anew.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
make_editors=$(dirname "$cnnc")/make_editors
vim=docs/editors/vim/syntax/cnnc.vim
textmate=docs/editors/vscode/syntaxes/cnnc.tmLanguage.json

if [ "${2:-}" = --update ]; then
    "$make_editors" vim >"$vim" && "$make_editors" textmate >"$textmate"
    exit
fi

up_to_date() {
    "$make_editors" "$1" >"$work/made"
    if cmp "$2" "$work/made" >"$log" 2>&1; then ok "editors/$1 is up to date"; return; fi
    echo "write it anew: sh tests/editors.sh $cnnc --update" >>"$log"
    fail "editors/$1 is up to date" "$log"
}
up_to_date vim "$vim"
up_to_date textmate "$textmate"

if ! command -v python3 >/dev/null; then
    skip editors/colours 'no python3 here'
    finish
    exit
fi
check editors/json python3 -c 'import glob, json
for name in glob.glob("docs/editors/vscode/**/*.json", recursive=True): json.load(open(name))'

# A Vim without syntax files (vim-tiny) cannot colour.
syntax=
if vim -u NONE -es -c 'if has("syntax") | qall! | endif' -c 'cquit' </dev/null >/dev/null 2>&1; then syntax=vim; fi
mkdir -p "$work/nets"
cp examples/*.net "$work/nets"
for file in tests/parse/*.net; do cp "$file" "$work/nets/parse_${file##*/}"; done
cat examples/shared/*.net >"$work/nets/shared.net"
python3 tests/editors.py every "$work/nets/every.net" "$work/expected" || exit 1
if [ -n "$syntax" ]; then
    cat >"$work/dump.vim" <<'VIM'
" For each file of the arguments: its file type, then a line for each of its lines: the group of each byte.
let s:out = []
for s:file in argv()
    execute 'edit ' . fnameescape(s:file)
    call add(s:out, 'file ' . fnamemodify(s:file, ':t') . ' ' . &filetype)
    for s:line in range(1, line('$'))
        call add(s:out, '|' . join(map(range(1, col([s:line, '$']) - 1), {_, c -> '' . synIDattr(synID(s:line, c, 1), 'name')}), ','))
    endfor
endfor
call writefile(s:out, $CNNC_DUMP)
qall!
VIM
    check editors/vim env CNNC_DUMP="$work/vim.txt" timeout 120 vim -u NONE -N -es -c "set runtimepath^=$root/docs/editors/vim" \
        -c 'filetype on' -c 'syntax on' -c "source $work/dump.vim" "$work"/nets/*.net || sed 's/^/    /' "$log"
else
    skip editors/vim 'no Vim with syntax files here'
    : >"$work/vim.txt"
fi
check editors/colours python3 tests/editors.py check "$work/expected" "$work/vim.txt" "$work"/nets/*.net
finish
