/* Nets that once broke the compiler, as small as they could be made. For test_random_nets.c. */
#ifndef CNNC_TESTS_UNIT_NET_KNOWN_H
#define CNNC_TESTS_UNIT_NET_KNOWN_H

typedef struct KnownNet {
    const char *what, *size, *body; /* size and colours of the picture x; the statements */
} KnownNet;

static const KnownNet known_nets[] = {
    {"a normalisation folds into a fully connected layer", "2x15\n    colour = rgb",
     "output y = x -> flatten -> fc(3) -> bn"},
    {"the picture is an output", "2x15\n    colour = rgb", "output y = x"},
    {"nothing but a dropout of the picture", "3x5\n    colour = grey",
     "output y = x -> dropout(0.5)\n    output z = x -> flatten"},
    {"as many groups as colours", "3x15\n    colour = rgb", "output y = x -> conv(3, 1, groups=3)"},
};

#endif
