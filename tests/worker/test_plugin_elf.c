/* ELF headers of this very program, and what is made of them. */
#include "worker/workloads/plugin_elf.h"

#include <elf.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEGMENTS = 3, FILE_SIZE = 4096, SECTIONS_AT = 3072, SECTIONS = 4 };

/* The part of a small shared object that is looked at. */
struct object {
    ElfW(Ehdr) header;
    ElfW(Phdr) segments[SEGMENTS];
};

/* Its class, byte order and machine are those of the file that runs. */
static struct object make_object(void)
{
    struct object object = {.segments = {{.p_type = PT_LOAD, .p_filesz = 1024, .p_memsz = 2048},
                                         {.p_type = PT_DYNAMIC, .p_offset = 512, .p_filesz = 64},
                                         {.p_type = PT_NULL, .p_offset = UINT32_MAX}}};
    FILE *self = fopen("/proc/self/exe", "rb");
    assert_non_null(self);
    assert_int_equal(fread(&object.header, sizeof(object.header), 1, self), 1);
    (void)fclose(self);
    object.header.e_type = ET_DYN;
    object.header.e_phoff = offsetof(struct object, segments);
    object.header.e_phnum = SEGMENTS;
    object.header.e_shoff = SECTIONS_AT;
    object.header.e_shnum = SECTIONS;
    return object;
}

/* As plugin.c does with a file of FILE_SIZE bytes that begins with `object`. */
static int check(const struct object *object, uint64_t file_size, struct err_text *ret_error)
{
    struct plugin_elf elf;
    size_t len = file_size < sizeof(object->header) ? (size_t)file_size : sizeof(object->header);
    ret_error->s[0] = '\0';
    int rc = plugin_elf_head(&object->header, len, file_size, ret_error, &elf);
    if (rc != 0) {
        return rc;
    }
    assert_int_equal(elf.size, elf.count * sizeof(ElfW(Phdr)));
    assert_true(elf.offset + elf.size <= file_size);
    assert_int_equal(elf.offset, offsetof(struct object, segments));
    assert_int_equal(elf.count, SEGMENTS);
    return plugin_elf_segments(&elf, object->segments, ret_error);
}

static void assert_refused(const struct object *object, uint64_t file_size, const char *text)
{
    struct err_text error;
    assert_int_equal(check(object, file_size, &error), ERR_INVALID);
    if (strstr(error.s, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.s, text);
    }
}

static void test_elf_takes_a_shared_object(void **state)
{
    (void)state;
    struct object object = make_object();
    struct err_text error;
    assert_int_equal(check(&object, FILE_SIZE, &error), 0);
    /* Stripped of its sections it can still be loaded. */
    object.header.e_shoff = 0;
    object.header.e_shnum = 0;
    assert_int_equal(check(&object, 1024, &error), 0);
}

static void test_elf_refuses_what_is_of_another_kind(void **state)
{
    (void)state;
    struct object object = make_object();
    assert_refused(&object, 0, "it is empty");
    memcpy(&object.header, "#!/bin/sh\necho\n", 15);
    assert_refused(&object, 15, "it begins with '#!/bin/sh?ec'");
    assert_refused(&object, 2, "it begins with '#!'");

    object = make_object();
    object.header.e_type = ET_REL;
    assert_refused(&object, FILE_SIZE, "object file that was not linked");
    object.header.e_type = ET_EXEC;
    assert_refused(&object, FILE_SIZE, "a program");
    object.header.e_type = ET_CORE;
    assert_refused(&object, FILE_SIZE, "ELF type 4");
}

static void test_elf_refuses_another_machine(void **state)
{
    (void)state;
    struct object object = make_object();
    object.header.e_machine = object.header.e_machine == EM_S390 ? EM_PPC64 : EM_S390;
    assert_refused(&object, FILE_SIZE, "it is for S/390 (ELF machine 22), this program is for ");
    object.header.e_machine = 0x1234;
    assert_refused(&object, FILE_SIZE, "another machine (ELF machine 4660)");

    object = make_object();
    object.header.e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
    assert_refused(&object, FILE_SIZE, "it is of ELF class");
    object = make_object();
    object.header.e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
    assert_refused(&object, FILE_SIZE, "its byte order is");
}

static void test_elf_refuses_every_shorter_file(void **state)
{
    (void)state;
    struct object object = make_object();
    struct err_text error;
    size_t needed = SECTIONS_AT + (size_t)SECTIONS * object.header.e_shentsize;
    for (size_t size = 0; size < needed; size++) {
        assert_int_equal(check(&object, size, &error), ERR_INVALID);
        assert_string_not_equal(error.s, "");
    }
    assert_int_equal(check(&object, needed, &error), 0);
}

static void test_elf_refuses_tables_outside_the_file(void **state)
{
    (void)state;
    struct object object = make_object();
    object.header.e_phoff = UINT64_MAX - 8; /* the end wraps */
    assert_refused(&object, FILE_SIZE, "table of segments begins at");
    object = make_object();
    object.header.e_shoff = UINT64_MAX - 8;
    assert_refused(&object, FILE_SIZE, "table of sections begins at");
    object = make_object();
    object.header.e_phnum = 0;
    assert_refused(&object, FILE_SIZE, "damaged: 0 segments");
    object = make_object();
    object.header.e_phentsize = 1;
    assert_refused(&object, FILE_SIZE, "of 1 bytes each");
}

static void test_elf_refuses_segments_outside_the_file(void **state)
{
    (void)state;
    struct object object = make_object();
    object.segments[0].p_filesz = FILE_SIZE + 1;
    object.segments[0].p_memsz = FILE_SIZE + 1;
    assert_refused(&object, FILE_SIZE, "a segment of 4097 begins at 0");
    object = make_object();
    object.segments[1].p_offset = UINT64_MAX - 8; /* the end wraps */
    assert_refused(&object, FILE_SIZE, "a segment of 64 begins at");
    object = make_object();
    object.segments[0].p_memsz = object.segments[0].p_filesz - 1;
    assert_refused(&object, FILE_SIZE, "a segment of 1024 bytes is to be loaded into 1023");
}

static void test_elf_refuses_what_has_nothing_to_load_or_link(void **state)
{
    (void)state;
    struct object object = make_object();
    object.segments[0].p_type = PT_NULL;
    assert_refused(&object, FILE_SIZE, "no segment to load");
    object = make_object();
    object.segments[1].p_type = PT_NOTE;
    assert_refused(&object, FILE_SIZE, "no segment to link it by");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elf_takes_a_shared_object),
        cmocka_unit_test(test_elf_refuses_what_is_of_another_kind),
        cmocka_unit_test(test_elf_refuses_another_machine),
        cmocka_unit_test(test_elf_refuses_every_shorter_file),
        cmocka_unit_test(test_elf_refuses_tables_outside_the_file),
        cmocka_unit_test(test_elf_refuses_segments_outside_the_file),
        cmocka_unit_test(test_elf_refuses_what_has_nothing_to_load_or_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
