" What Vim needs to know about .net files of cnnc besides their colours.
if exists("b:did_ftplugin")
    finish
endif
let b:did_ftplugin = 1
setlocal comments=:# commentstring=#\ %s
setlocal shiftwidth=4 expandtab textwidth=120
let b:undo_ftplugin = "setlocal comments< commentstring< shiftwidth< expandtab< textwidth<"
