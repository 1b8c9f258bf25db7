/* ELF headers, as far as loading depends on them; see plugin_elf.h. The layout is System V ABI,
 * chapters 4 and 5, as <elf.h> has it. */
#include "worker/workloads/plugin_elf.h"

#include "common/base/printable.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;

_Static_assert(sizeof(elf_header) <= PLUGIN_ELF_HEAD_SIZE, "the head holds the header");

/* What this program is itself. */
enum {
    OUR_CLASS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32,
    OUR_DATA = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB,
#if defined(__x86_64__)
    OUR_MACHINE = EM_X86_64,
#elif defined(__aarch64__)
    OUR_MACHINE = EM_AARCH64,
#elif defined(__riscv)
    OUR_MACHINE = EM_RISCV,
#elif defined(__i386__)
    OUR_MACHINE = EM_386,
#elif defined(__arm__)
    OUR_MACHINE = EM_ARM,
#else
#    error "name this machine as <elf.h> does"
#endif
};

static const char *machine_name(unsigned machine)
{
    switch (machine) {
    case EM_X86_64:
        return "x86-64";
    case EM_AARCH64:
        return "AArch64";
    case EM_RISCV:
        return "RISC-V";
    case EM_386:
        return "i386";
    case EM_ARM:
        return "ARM";
    case EM_PPC64:
        return "PowerPC";
    case EM_S390:
        return "S/390";
    default:
        return "another machine";
    }
}

/* Do `count` entries of `entry` bytes at `offset` end inside the file? */
static bool lies_within(uint64_t file_size, uint64_t offset, uint64_t count, uint64_t entry)
{
    /* count and entry come from 16-bit members. */
    return offset <= file_size && count * entry <= file_size - offset;
}

static int refuse_stranger(const char *head, size_t head_len, struct err_text *ret_error)
{
    enum { SHOWN = 12 };

    char begin[SHOWN + 1];
    size_t len = head_len < SHOWN ? head_len : SHOWN;
    for (size_t i = 0; i < len; i++) {
        begin[i] = '?';
        if (printable(head + i, 1)) {
            begin[i] = head[i];
        }
    }
    begin[len] = '\0';
    return err_set(
        ret_error, ERR_INVALID, "it is no shared object (an ELF file): it begins with '%s'", begin);
}

static int check_machine(const elf_header *header, struct err_text *ret_error)
{
    if (header->e_ident[EI_CLASS] != OUR_CLASS) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is of ELF class %d, this program of %d (1: 32 bits, 2: 64 bits)",
                       header->e_ident[EI_CLASS],
                       OUR_CLASS);
    }
    if (header->e_ident[EI_DATA] != OUR_DATA) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "its byte order is %d, this program's %d (1: little-endian, 2: big-endian)",
                       header->e_ident[EI_DATA],
                       OUR_DATA);
    }
    if (header->e_machine != OUR_MACHINE) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is for %s (ELF machine %d), this program is for %s (%d)",
                       machine_name(header->e_machine),
                       header->e_machine,
                       machine_name(OUR_MACHINE),
                       OUR_MACHINE);
    }
    return 0;
}

static int check_type(const elf_header *header, struct err_text *ret_error)
{
    switch (header->e_type) {
    case ET_DYN:
        return 0;
    case ET_REL:
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is an object file that was not linked: build it with -shared");
    case ET_EXEC:
        return err_set(
            ret_error, ERR_INVALID, "it is a program, not a shared object: build it with -shared");
    default:
        return err_set(
            ret_error, ERR_INVALID, "it is of ELF type %d, not a shared object", header->e_type);
    }
}

static int check_tables(const elf_header *header, uint64_t file_size, struct err_text *ret_error)
{
    if (header->e_phentsize != sizeof(elf_segment) || header->e_phnum == 0 ||
        header->e_phnum == PN_XNUM) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "its ELF header is damaged: %d segments of %d bytes each",
                       header->e_phnum,
                       header->e_phentsize);
    }
    if (!lies_within(file_size, header->e_phoff, header->e_phnum, sizeof(elf_segment))) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is cut off or damaged: of %llu bytes, the table of segments begins at "
                       "%llu",
                       (unsigned long long)file_size,
                       (unsigned long long)header->e_phoff);
    }
    /* Loading does without the sections. They are what linkers write last: when they are all
     * there, nothing was cut off. None is counted when there are too many for the member. */
    uint64_t sections = header->e_shnum == 0 && header->e_shoff != 0 ? 1 : header->e_shnum;
    if (!lies_within(file_size, header->e_shoff, sections, header->e_shentsize)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is cut off: of %llu bytes, the table of sections begins at %llu",
                       (unsigned long long)file_size,
                       (unsigned long long)header->e_shoff);
    }
    return 0;
}

int plugin_elf_head(const void *head,
                    size_t head_len,
                    uint64_t file_size,
                    struct err_text *ret_error,
                    struct plugin_elf *ret_elf)
{
    elf_header header;
    if (head_len == 0) {
        return err_set(ret_error, ERR_INVALID, "it is empty");
    }
    if (head_len < SELFMAG || memcmp(head, ELFMAG, SELFMAG) != 0) {
        return refuse_stranger(head, head_len, ret_error);
    }
    if (head_len < sizeof(header)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is cut off: its %zu bytes are not even an ELF header",
                       head_len);
    }
    memcpy(&header, head, sizeof(header));
    int rc = check_machine(&header, ret_error);
    rc = rc != 0 ? rc : check_type(&header, ret_error);
    rc = rc != 0 ? rc : check_tables(&header, file_size, ret_error);
    if (rc == 0) {
        *ret_elf = (struct plugin_elf){
            .file_size = file_size,
            .offset = header.e_phoff,
            .count = header.e_phnum,
            .size = header.e_phnum * sizeof(elf_segment),
        };
    }
    return rc;
}

static int check_segment(const struct plugin_elf *elf,
                         const elf_segment *segment,
                         struct err_text *ret_error)
{
    if (segment->p_type == PT_LOAD && segment->p_memsz < segment->p_filesz) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is damaged: a segment of %llu bytes is to be loaded into %llu",
                       (unsigned long long)segment->p_filesz,
                       (unsigned long long)segment->p_memsz);
    }
    if (segment->p_offset > elf->file_size ||
        segment->p_filesz > elf->file_size - segment->p_offset) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is cut off or damaged: of %llu bytes, a segment of %llu begins at %llu",
                       (unsigned long long)elf->file_size,
                       (unsigned long long)segment->p_filesz,
                       (unsigned long long)segment->p_offset);
    }
    return 0;
}

int plugin_elf_segments(const struct plugin_elf *elf, const void *table, struct err_text *ret_error)
{
    bool loads = false;
    bool dynamic = false;
    for (uint64_t i = 0; i < elf->count; i++) {
        elf_segment segment;
        memcpy(&segment, (const char *)table + i * sizeof(segment), sizeof(segment));
        if (segment.p_type == PT_NULL) {
            continue;
        }
        int rc = check_segment(elf, &segment, ret_error);
        if (rc != 0) {
            return rc;
        }
        loads = loads || segment.p_type == PT_LOAD;
        dynamic = dynamic || segment.p_type == PT_DYNAMIC;
    }
    if (!loads || !dynamic) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is no shared object: it has no segment to %s",
                       loads ? "link it by" : "load");
    }
    return 0;
}
