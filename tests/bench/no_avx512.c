/* Preloaded into a program, makes it see a processor without AVX-512 and AMX: some programs (onnxruntime) have no
 * option that restricts them, but all of them ask CPUID. The kernel can make that instruction fault (ARCH_SET_CPUID);
 * the handler answers in its place. Needs a processor with the flag cpuid_fault. The program itself must not take
 * SIGSEGV, so its attempts to do so are ignored. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { ARCH_SET_CPUID = 0x1012 };

/* Bits of AVX-512 and AMX that are taken out, by leaf and subleaf. */
typedef struct Mask {
    unsigned leaf, subleaf, eax, ebx, ecx, edx;
} Mask;
#define BIT(n) (1u << (n))
static const Mask masks[] = {
    {7, 0, 0, BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31),
     BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14), BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25)},
    {7, 1, BIT(5) | BIT(21), 0, 0, BIT(8) | BIT(19)},
    {13, 0, BIT(5) | BIT(6) | BIT(7) | BIT(17) | BIT(18), 0, 0, 0},
};

static long cpuid_allowed(unsigned long yes) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, yes); }

static void answer(greg_t *r) {
    unsigned leaf = (unsigned)r[REG_RAX], sub = (unsigned)r[REG_RCX], a, b, c, d;
    cpuid_allowed(1);
    __cpuid_count(leaf, sub, a, b, c, d);
    cpuid_allowed(0);
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        if (masks[i].leaf != leaf || masks[i].subleaf != sub) continue;
        a &= ~masks[i].eax, b &= ~masks[i].ebx, c &= ~masks[i].ecx, d &= ~masks[i].edx;
    }
    r[REG_RAX] = a, r[REG_RBX] = b, r[REG_RCX] = c, r[REG_RDX] = d;
    r[REG_RIP] += 2;
}

static void handler(int number, siginfo_t *info, void *context) {
    static const unsigned char cpuid[2] = {0x0F, 0xA2};
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)info;
    if (info->si_code == SI_KERNEL && memcmp((const void *)r[REG_RIP], cpuid, 2) == 0)
        answer(r);
    else
        signal(number, SIG_DFL); /* a true fault: it comes again */
}

typedef int Sigaction(int, const struct sigaction *, struct sigaction *);

int sigaction(int number, const struct sigaction *now, struct sigaction *before) {
    static Sigaction *real;
    if (!real) real = (Sigaction *)dlsym(RTLD_NEXT, "sigaction");
    return real(number, number == SIGSEGV ? NULL : now, before);
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction s = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    Sigaction *real = (Sigaction *)dlsym(RTLD_NEXT, "sigaction");
    if (real(SIGSEGV, &s, NULL) == 0 && cpuid_allowed(0) == 0) return;
    fputs("no_avx512: this processor or kernel cannot make CPUID fault\n", stderr);
    _exit(71);
}
