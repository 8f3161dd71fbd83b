/* Types: extents, text and back, and where elements are stored. */
#include "ir/type.h"

#include <CUnit/Basic.h>
#include <string.h>

static Arena *arena;

static Type parse(const char *text) {
    Type t;
    CU_ASSERT_FATAL(type_read(&text, &t));
    CU_ASSERT_EQUAL(*text, 0);
    return t;
}

static void texts_read_back(void) {
    static const char *const text[] = {
        "f32[]", "i32[N]", "u8[7]", "f16[7]", "f32[N,64,56,56]", "f32[N,64,56,56]{1,16;1,1,1,1}", "f32[96,3,11,11]{16,1;0,0,0,0}",
        "f32[2147483647]", "f32[N,3,2,1]{1,1;0,2,3,4}",
        "f32[N,32,2,1]{1,16;0,2,3,4;16/64}", "f32[N,32,36,9]{1,16;0,0,0,0;rows}"};
    for (int i = 0; i < ARRAY_LEN(text); i++) {
        Type t = parse(text[i]);
        Str s = STR(arena);
        type_print(&s, &t);
        CU_ASSERT_STRING_EQUAL(str_text(&s), text[i]);
    }
}

static void wrong_texts_do_not_read(void) {
    static const char *const text[] = {
        "", "f32", "f33[]", "f32[", "f32[0]", "f32[-1]", "f32[01]", "f32[2147483648]", "f32[1,N]", "f32[1,2,3,4,5]",
        "f32[1 ,2]", "f32[,]", "f32[3,]", "f32[+3]", "f32[N]{", "f32[N]{1}", "f32[N]{1,1;0,0,0}", "f32[N]{1,1;0,0,0,x}",
        "f32[N,3]{1,1;0,0,0,0;}", "f32[N,3]{1,1;0,0,0,0;0}", "f32[N,3]{1,1;0,0,0,0;0/}", "f32[N,3,4,5]{1,1;0,0,0,0;row}",
        "f32 [3]", "f32[9999999999999999999999]"};
    for (int i = 0; i < ARRAY_LEN(text); i++) {
        const char *p = text[i];
        Type t;
        CU_ASSERT_FALSE(type_read(&p, &t));
    }
}

static void extents_follow_the_rules(void) {
    Type picture = parse("f32[N,64,56,28]"), vector = parse("f32[N,10]"), weight = parse("f32[96,3,11,5]"),
         channels = parse("f32[32]"), labels = parse("i32[N]"), scalar = parse("f32[]");
    CU_ASSERT_TRUE(type_batched(&picture) && type_batched(&labels) && !type_batched(&weight) && !type_batched(&scalar));
    CU_ASSERT_EQUAL(type_channel_dim(&picture), 1);
    CU_ASSERT_EQUAL(type_channel_dim(&weight), 0);
    CU_ASSERT_EQUAL(type_channel_dim(&labels), -1);
    CU_ASSERT_EQUAL(type_channel_dim(&scalar), -1);
    CU_ASSERT_EQUAL(type_channels(&vector), 10);
    CU_ASSERT_EQUAL(type_channels(&weight), 96);
    CU_ASSERT_EQUAL(type_channels(&channels), 32);
    CU_ASSERT_EQUAL(type_channels(&scalar), 1);
    CU_ASSERT_EQUAL(type_height(&picture), 56);
    CU_ASSERT_EQUAL(type_width(&picture), 28);
    CU_ASSERT_EQUAL(type_width(&vector), 1);
    CU_ASSERT_STRING_EQUAL(type_shape_text(arena, &picture), "64x56x28");
    CU_ASSERT_STRING_EQUAL(type_shape_text(arena, &weight), "96x3x11x5");
    CU_ASSERT_STRING_EQUAL(type_shape_text(arena, &scalar), "one number");
}

static void layout_is_no_part_of_the_shape(void) {
    Type a = parse("f32[N,64,56,56]"), b = parse("f32[N,64,56,56]{1,16;0,0,0,0}"), c = parse("i32[N,64,56,56]"),
         d = parse("f32[N,64,56,57]");
    CU_ASSERT_TRUE(type_same_shape(&a, &b) && !type_equal(&a, &b) && type_equal(&a, &a));
    CU_ASSERT_FALSE(type_same_shape(&a, &c));
    CU_ASSERT_FALSE(type_same_shape(&a, &d));
    Type halo = parse("f32[N,64,56,56]{1,1;0,0,0,1}"), rows = parse("f32[N,64,56,56]{1,1;0,0,0,0;rows}");
    CU_ASSERT_FALSE(type_equal(&a, &halo) || type_equal(&a, &rows));
}

static void sizes_count_padding(void) {
    static const struct {
        const char *text;
        int64_t elements, stored, bytes;
    } row[] = {{"f32[]", 1, 1, 64},
               {"i32[N]", 1, 1, 64},
               {"f32[N,3,4,5]", 60, 60, 256},
               {"f32[N,3,4,5]{1,16;1,1,2,2}", 60, 16 * 6 * 9, 16 * 6 * 9 * 4},
               {"f32[20,3,2,2]{16,16;0,0,0,0}", 240, 32 * 16 * 4, 32 * 16 * 4 * 4},
               {"f32[N,10]{1,16;0,0,0,0}", 10, 16, 64},
               {"f32[20]{16,1;0,0,0,0}", 20, 32, 128},
               {"f32[N,3,4,5]{1,16;1,1,2,2;32/35}", 60, 48 * 6 * 9, 48 * 6 * 9 * 4},
               {"f32[N,20,4,5]{1,16;0,0,0,0;rows}", 400, 4 * 11 * 16, 4 * 11 * 16 * 4},
               {"f32[N,20,4,4]{1,4;0,0,0,0;rows}", 320, 4 * 21 * 4, 4 * 21 * 4 * 4},
               {"u8[N,1,9,9]", 81, 81, 128},
               {"f32[2147483647,2147483647,2147483647,2]", INT64_MAX, INT64_MAX, INT64_MAX}};
    for (int i = 0; i < ARRAY_LEN(row); i++) {
        Type t = parse(row[i].text);
        CU_ASSERT_EQUAL(type_elements(&t), row[i].elements);
        CU_ASSERT_EQUAL(type_stored(&t), row[i].stored);
        CU_ASSERT_EQUAL(type_bytes(&t), row[i].bytes);
    }
}

/* Known places, computed by hand from the storage order in type.h. */
static void offsets_have_known_values(void) {
    static const struct {
        const char *text;
        int64_t index[MAX_RANK], offset;
    } row[] = {{"f32[]", {0}, 0},
               {"f32[N,3,4,5]", {2, 1, 3, 4}, ((2 * 3 + 1) * 4 + 3) * 5 + 4},
               {"f32[N,20,4,5]{1,16;0,0,0,0}", {1, 17, 2, 3}, (((1 * 2 + 1) * 4 + 2) * 5 + 3) * 16 + 1},
               {"f32[N,20,4,5]{1,16;1,2,3,4}", {1, 17, 2, 3}, (((1 * 2 + 1) * 7 + 3) * 12 + 6) * 16 + 1},
               {"f32[32,24,3,3]{16,8;0,0,0,0}", {18, 9, 1, 2}, ((((1 * 3 + 1) * 3 + 1) * 3 + 2) * 8 + 1) * 16 + 2},
               {"f32[N,10]{1,16;0,0,0,0}", {3, 9}, 3 * 16 + 9},
               {"f32[N,20,4,5]{1,16;0,0,0,0;32/52}", {1, 17, 2, 3}, (((1 * 4 + 3) * 4 + 2) * 5 + 3) * 16 + 1},
               {"f32[N,20,4,5]{1,16;0,0,0,0;rows}", {1, 17, 2, 3}, ((1 * 4 + 2) * 11 + 1 * 5 + 3) * 16 + 1},
               {"f32[20]{16,1;0,0,0,0}", {19}, 19}};
    for (int i = 0; i < ARRAY_LEN(row); i++) {
        Type t = parse(row[i].text);
        CU_ASSERT_EQUAL(type_offset(&t, row[i].index), row[i].offset);
    }
}

/* Every logical element of three pictures has a place of its own inside type_stored. */
static void offsets_never_meet(void) {
    static const char *const text[] = {"f32[N,5,3,2]{1,4;1,0,2,1}", "f32[N,5,3,2]{1,4;0,0,0,0;rows}", "f32[6,5,3,2]{4,3;0,0,0,0}",
                                       "f32[N,7]{1,4;0,0,0,0}"};
    for (int k = 0; k < ARRAY_LEN(text); k++) {
        Type t = parse(text[k]);
        int64_t n0 = type_batched(&t) ? 3 : t.dim[0], size = type_stored(&t) * (type_batched(&t) ? 3 : 1), i[MAX_RANK];
        bool *taken = NEW_ARRAY(arena, bool, size);
        for (i[0] = 0; i[0] < n0; i[0]++)
            for (i[1] = 0; i[1] < t.dim[1]; i[1]++)
                for (i[2] = 0; i[2] < type_height(&t); i[2]++)
                    for (i[3] = 0; i[3] < type_width(&t); i[3]++) {
                        int64_t at = type_offset(&t, i);
                        CU_ASSERT_FATAL(at >= 0 && at < size);
                        CU_ASSERT_FALSE(taken[at]);
                        taken[at] = true;
                    }
    }
}

/* A part's elements are those of the whole. */
static void parts_lie_in_the_whole(void) {
    Type whole = parse("f32[N,44,3,2]{1,8;1,1,0,1}"), part = parse("f32[N,12,3,2]{1,8;1,1,0,1}"), other = part;
    CU_ASSERT_FALSE(type_is_part(&part, &whole, 32));
    part.layout = type_part_layout(&whole, 32, 12);
    CU_ASSERT(type_is_part(&part, &whole, 32) && !type_is_part(&part, &whole, 16) && !type_is_part(&other, &whole, 32));
    other.dim[3] = 1;
    other.layout = part.layout;
    CU_ASSERT_FALSE(type_is_part(&other, &whole, 32));
    Type inner = part, all = whole;
    inner.dim[1] = 4;
    inner.layout = type_part_layout(&part, 8, 4);
    CU_ASSERT(type_is_part(&inner, &part, 8) && type_is_part(&inner, &whole, 40) && type_is_part(&all, &whole, 0));
    CU_ASSERT_EQUAL(type_stored(&part), type_stored(&whole));
    int64_t at[MAX_RANK] = {2, 3, 1, 1}, there[MAX_RANK] = {2, 43, 1, 1}, between[MAX_RANK] = {2, 11, 1, 1};
    CU_ASSERT_EQUAL(type_offset(&inner, at), type_offset(&whole, there));
    CU_ASSERT_EQUAL(type_offset(&part, between), type_offset(&whole, there));
}

int main(void) {
    arena = arena_new();
    if (CU_initialize_registry() != CUE_SUCCESS) return 1;
    CU_pSuite s = CU_add_suite("type", NULL, NULL);
    CU_ADD_TEST(s, texts_read_back);
    CU_ADD_TEST(s, wrong_texts_do_not_read);
    CU_ADD_TEST(s, extents_follow_the_rules);
    CU_ADD_TEST(s, layout_is_no_part_of_the_shape);
    CU_ADD_TEST(s, sizes_count_padding);
    CU_ADD_TEST(s, offsets_have_known_values);
    CU_ADD_TEST(s, offsets_never_meet);
    CU_ADD_TEST(s, parts_lie_in_the_whole);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(arena);
    return failures != 0;
}
