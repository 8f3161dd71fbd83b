" Vim syntax file of the .net language of cnnc, written by docs/editors/make_editors.c from the compiler's tables.
if exists("b:current_syntax")
    finish
endif
let s:cpo_save = &cpo
set cpo&vim
syn case match
syn sync fromstart

syn match cnncComment "#.*$" contains=@Spell
syn match cnncEscape +\\["\\{}nt]+ contained
syn region cnncSubstitution matchgroup=cnncEscape start=+{+ end=+}\|"\@=+ contained oneline contains=@cnncBody
syn region cnncString start=+"+ skip=+\\.+ end=+"+ oneline contains=cnncEscape,cnncSubstitution,@Spell
syn match cnncOperator "->\|\.\.\|<<\|[=!<>]=\|[-+*/%<>]"
syn match cnncNumber "\<\d\+\%(\.\d\+\)\=\%([eE][+-]\=\d\+\)\=\%(\%(k\|M\|G\|%\)\w\@!\|\s*\%(step\|steps\|epoch\|epochs\|image\|images\|batch\|batches\|KiB\|MiB\|GiB\|us\|ms\|sec\|min\)\>\)\="
syn match cnncSize "\<\d\+x\d\+\>"
syn match cnncFunction "\<\%(min\|max\|enumerate\|len\|abs\|floor\|ceil\|normal\|uniform\|constant\|he\|xavier\|torch\)\>"
syn match cnncLayer "\<\%(conv\|deconv\|fc\|bn\|layer_norm\|group_norm\|scale\|relu\|relu6\|leaky_relu\|prelu\|elu\|gelu\|se\|sigmoid\|tanh\|swish\|hswish\|hsigmoid\|maxpool\|avgpool\|spp\|lrn\|dropout\|stochastic_depth\|flatten\|concat\|split\|channel_shuffle\|pad\|crop\|upsample\|add\|mul\|softmax\|log_softmax\|identity\|fork\)\>"
syn match cnncField "\%([^.]\.\)\@2<=\%(channels\|height\|width\)\>"
syn match cnncAnnotation "@\%(name\|freeze\|nofuse\)\>"
syn match cnncKeyword "\<\%(for\|in\|if\|else\|and\|or\|not\|return\|output\|only\|group\)\>"
syn match cnncConstant "\<\%(true\|false\)\>"

syn match cnncTop "^\s*\%(cnnc\|use\|const\|option\|quantize\)\>"
syn match cnncTop "^\s*\%(block\|net\)\>" nextgroup=cnncName skipwhite
syn match cnncName "\h\w*" contained
syn match cnncParameter "\<\h\w*\ze\s*==\@!" contained
syn region cnncArguments transparent start="(" end=")" contains=@cnncBody,cnncParameter
syn region cnncBraces transparent start="{" end="}" contains=@cnncBody,cnncBraces
syn cluster cnncShared contains=cnncComment,cnncString,cnncOperator,cnncNumber,cnncSize,cnncFunction,cnncField,cnncKeyword,cnncConstant
syn cluster cnncBody contains=@cnncShared,cnncLayer,cnncAnnotation,cnncArguments

syn match cnncCall "\<\%(shorter\|exact\|centre\|folder\|list\|masks\|tar\|cifar10\|cifar100\|idx\|synthetic\|file\|synsets\|calibration\|fail\|skip\|random_resized_crop\|random_crop\|random_scale\|resize\|crop\|hflip\|vflip\|colour_jitter\|colour_pca\|grey\|rotate\|blur\|random_erase\|trivial_augment\|rand_augment\|mixup\|cutmix\|sgd\|adam\|adamw\|rmsprop\|lars\|constant\|step\|multistep\|poly\|cosine\|exp\|linear\|inv\|cyclic\|plateau\|warmup\|norm\|value\|every\|all\|weights\|cross_entropy\|bce\|mse\|hinge\|focal\)\>" contained
syn match cnncChoice "\<\%(rgb\|bgr\|grey\|exif\|ignore\|auto\|shuffled\|class_balanced\|top1\|top5\|per_class\|confusion\|calibration\|pixel_accuracy\|mean_iou\|fp32\|fp16\|none\|all\|bilinear\|bicubic\|nearest\|black\|mean\|loss\)\>\%(\s*(\)\@!" contained
syn match cnncParameterKnown "\<\%(size\|filter\|antialias\|path\|masks\|ignore\|images\|labels\|count\|classes\|seed\|bins\|at_most\|area\|ratio\|sizes\|pad\|shorter\|p\|brightness\|contrast\|saturation\|sigma\|degrees\|fill\|n\|m\|alpha\|momentum\|nesterov\|weight_decay\|betas\|eps\|centred\|eps_inside\|trust\|base\|for\|gamma\|every\|at\|power\|to\|on\|patience\|from\|limit\|time\|keep\|best\|except\|logits\|smoothing\|weights\|scores\)\ze\s*==\@!" contained
hi def link cnncParameterKnown cnncParameter
syn region cnncSettingArguments contained transparent start="(" end=")" contains=@cnncSettings,cnncParameterKnown
syn cluster cnncSettings contains=@cnncShared,cnncCall,cnncChoice,cnncSettingArguments

syn match cnncSection "^\s*input\>\ze\s*\%(\h\w*\s*\)\={" nextgroup=cnncName_input,cnncBlock_input skipwhite
syn match cnncName_input "\h\w*" contained nextgroup=cnncBlock_input skipwhite
syn region cnncBlock_input contained transparent start="{" end="}" contains=@cnncSettings,cnncKey_input,cnncBlock_input
syn match cnncKey_input "\<\%(colour\|size\|resize\|crop\|mean\|std\|orientation\|depth\)\ze\s*==\@!" contained
hi def link cnncName_input cnncName
hi def link cnncKey_input cnncKey

syn match cnncSection "^\s*data\>\ze\s*\%(\h\w*\s*\)\={" nextgroup=cnncName_data,cnncBlock_data skipwhite
syn match cnncName_data "\h\w*" contained nextgroup=cnncBlock_data skipwhite
syn region cnncBlock_data contained transparent start="{" end="}" contains=@cnncSettings,cnncKey_data,cnncBlock_data
syn match cnncKey_data "\<\%(train\|val\|test\|labels\|workers\|prefetch\|on_error\|sampling\|subset\)\ze\s*==\@!" contained
hi def link cnncName_data cnncName
hi def link cnncKey_data cnncKey

syn match cnncSection "^\s*augment\>\ze\s*\%(\h\w*\s*\)\={" nextgroup=cnncName_augment,cnncBlock_augment skipwhite
syn match cnncName_augment "\h\w*" contained nextgroup=cnncBlock_augment skipwhite
syn region cnncBlock_augment contained transparent start="{" end="}" contains=@cnncSettings,cnncKey_augment,cnncBlock_augment
hi def link cnncName_augment cnncName
hi def link cnncKey_augment cnncKey

syn match cnncSection "^\s*train\>\ze\s*\%(\h\w*\s*\)\={" nextgroup=cnncName_train,cnncBlock_train skipwhite
syn match cnncName_train "\h\w*" contained nextgroup=cnncBlock_train skipwhite
syn region cnncBlock_train contained transparent start="{" end="}" contains=@cnncSettings,cnncKey_train,cnncBlock_train
syn match cnncKey_train "\<\%(loss\|optimizer\|batch\|lr\|stop\|evaluate\|checkpoint\|seed\|init\|freeze\|drop_last\|ema\|clip\|accumulate\|max_memory\|lr_scale\|weight_decay\)\ze\s*==\@!" contained
hi def link cnncName_train cnncName
hi def link cnncKey_train cnncKey

syn match cnncSection "^\s*eval\>\ze\s*\%(\h\w*\s*\)\={" nextgroup=cnncName_eval,cnncBlock_eval skipwhite
syn match cnncName_eval "\h\w*" contained nextgroup=cnncBlock_eval skipwhite
syn region cnncBlock_eval contained transparent start="{" end="}" contains=@cnncSettings,cnncKey_eval,cnncBlock_eval
syn match cnncKey_eval "\<\%(metrics\|crops\|batch\|save_predictions\|size\)\ze\s*==\@!" contained
hi def link cnncName_eval cnncName
hi def link cnncKey_eval cnncKey

syn match cnncSection "^\s*deploy\>\ze\s*\%(\h\w*\s*\)\={" nextgroup=cnncName_deploy,cnncBlock_deploy skipwhite
syn match cnncName_deploy "\h\w*" contained nextgroup=cnncBlock_deploy skipwhite
syn region cnncBlock_deploy contained transparent start="{" end="}" contains=@cnncSettings,cnncKey_deploy,cnncBlock_deploy
syn match cnncKey_deploy "\<\%(weights\|outputs\|batches\|march\|max_memory\)\ze\s*==\@!" contained
hi def link cnncName_deploy cnncName
hi def link cnncKey_deploy cnncKey

syn match cnncSection "^\s*require\>\ze\s*\%(\h\w*\s*\)\={" nextgroup=cnncName_require,cnncBlock_require skipwhite
syn match cnncName_require "\h\w*" contained nextgroup=cnncBlock_require skipwhite
syn region cnncBlock_require contained transparent start="{" end="}" contains=@cnncSettings,cnncKey_require,cnncBlock_require
syn match cnncKey_require "\<\%(params\|macs\|memory\|code_size\|size\|top1\|top5\|latency\|throughput\)\ze\s*[<>]" contained
hi def link cnncName_require cnncName
hi def link cnncKey_require cnncKey

syn match cnncSection "^\s*test\>\ze\s*\%(\h\w*\s*\)\={" nextgroup=cnncName_test,cnncBlock_test skipwhite
syn match cnncName_test "\h\w*" contained nextgroup=cnncBlock_test skipwhite
syn region cnncBlock_test contained transparent start="{" end="}" contains=@cnncSettings,cnncKey_test,cnncBlock_test
syn match cnncKey_test "\<\%(gradients\|golden\|tolerance\)\ze\s*==\@!" contained
hi def link cnncName_test cnncName
hi def link cnncKey_test cnncKey

hi def link cnncTop Keyword
hi def link cnncSection Structure
hi def link cnncKeyword Statement
hi def link cnncConstant Boolean
hi def link cnncField Special
hi def link cnncAnnotation PreProc
hi def link cnncLayer Function
hi def link cnncFunction Function
hi def link cnncCall Function
hi def link cnncKey Identifier
hi def link cnncParameter Type
hi def link cnncChoice Constant
hi def link cnncComment Comment
hi def link cnncString String
hi def link cnncEscape SpecialChar
hi def link cnncNumber Number
hi def link cnncSize Number
hi def link cnncOperator Operator
hi def link cnncName Title

let b:current_syntax = "cnnc"
let &cpo = s:cpo_save
unlet s:cpo_save
