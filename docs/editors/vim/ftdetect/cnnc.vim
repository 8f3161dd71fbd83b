autocmd BufNewFile,BufRead *.net setfiletype cnnc
