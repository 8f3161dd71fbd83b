/* The fuzz target without libFuzzer: calls it for each file that is named, and for all files of a folder that is named. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_files;

static int complain(const char *path) {
    perror(path);
    return 66;
}

static int replay_file(const char *path) {
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st)) return complain(path);
    size_t n = (size_t)st.st_size;
    uint8_t *data = malloc(n > 0 ? n : 1); /* no more than needed, so that a sanitizer sees reads beyond the end */
    int code = data && fread(data, 1, n, f) == n ? 0 : complain(path);
    fclose(f);
    printf("%s\n", path); /* before, so that the last line names what stops it */
    if (code == 0) LLVMFuzzerTestOneInput(data, n);
    free(data);
    n_files++;
    return code;
}

static int is_visible(const struct dirent *e) { return e->d_name[0] != '.'; }

static int replay(const char *path) {
    struct dirent **entry;
    int code = 0, n = scandir(path, &entry, is_visible, alphasort);
    if (n < 0) return replay_file(path);
    for (int i = 0; i < n; i++) {
        char below[4096];
        snprintf(below, sizeof below, "%s/%s", path, entry[i]->d_name);
        if (code == 0) code = replay(below);
        free(entry[i]);
    }
    free(entry);
    return code;
}

int main(int argc, char **argv) {
    int code = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc && code == 0; i++) code = replay(argv[i]);
    printf("%d files\n", n_files);
    return code;
}
