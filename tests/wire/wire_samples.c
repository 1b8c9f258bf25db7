#include "tests/wire/wire_samples.h"

#include "common/base/check.h"
#include "common/base/chunk.h"

#include <ctype.h>
#include <string.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define U64(...)        ((const uint64_t[]){__VA_ARGS__})
#define U32(...)        ((const uint32_t[]){__VA_ARGS__})

static const struct wire_text workloads[] = {TEXT("download"), TEXT("squares"), TEXT("noop")};
static const struct wire_text param_names[] = {TEXT("url"), TEXT("delay")};
static const struct wire_text param_values[] = {TEXT("http://127.0.0.1:8080/"), TEXT("0.1")};
static const struct wire_text error_texts[] = {TEXT("HTTP status 404"), TEXT("timed out")};

/* SHA-256 of no bytes at all: with zeros, high bits and a NUL in it. */
#define HASH                                                                                       \
    TEXT(                                                                                          \
        "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24\x27\xae\x41\xe4\x64\x9b" \
        "\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55")

const struct wire_sample wire_samples[] = {
    {
        .name = "hello",
        .message = {.type = WIRE_HELLO,
                    .as.hello = {.protocol_major = 1,
                                 .protocol_minor = 0,
                                 .build = TEXT("0.1.0"),
                                 .name = TEXT("w1"),
                                 .host = TEXT("node-7"),
                                 .nonce = 0x1122334455667788,
                                 .pid = 4711,
                                 .cores = 8,
                                 .strategies = 1 << STRATEGY_SERIAL | 1 << STRATEGY_THREADS |
                                               1 << STRATEGY_ASYNC | 1 << STRATEGY_PROCESSES,
                                 .credit_max = 4096,
                                 .workloads = workloads,
                                 .workload_count = COUNT_OF(workloads)}},
        .golden = "0801524a09717561727465743110012205302e312e302a02773132066e6f64652d373988"
                  "776655443322114008481e5208646f776e6c6f616452077371756172657352046e6f6f70"
                  "58802060e724",
    },
    {
        .name = "welcome",
        .message = {.type = WIRE_WELCOME,
                    .session = 7,
                    .as.welcome = {.protocol_minor = 0, .heartbeat_ms = 1000}},
        .golden = "08021107000000000000005a0310e807",
    },
    {
        .name = "reject",
        .message = {.type = WIRE_REJECT,
                    .as.reject = {.reason = WIRE_REASON_VERSION,
                                  .text = TEXT("you speak 2.0, I speak 1.0")}},
        .golden = "0803621e0a1a796f7520737065616b20322e302c204920737065616b20312e301001",
    },
    {
        .name = "job",
        .message = {.type = WIRE_JOB,
                    .session = 7,
                    .job = 2,
                    .as.job_spec = {.workload = TEXT("download"),
                                    .param_names = param_names,
                                    .param_values = param_values,
                                    .param_count = COUNT_OF(param_names),
                                    .strategy = STRATEGY_ASYNC,
                                    .slots = 100,
                                    .range_first = 1,
                                    .credit_fixed = 16}},
        .golden = "080411070000000000000018026a3b0a08646f776e6c6f6164120375726c120564656c61"
                  "791a16687474703a2f2f3132372e302e302e313a383038302f1a03302e31200328643001"
                  "3810",
    },
    {
        .name = "ready",
        .message = {.type = WIRE_READY,
                    .session = 7,
                    .job = 2,
                    .as.ready = {.slots = 100,
                                 .credit = 200,
                                 .cooperative = true,
                                 .startup_us = 1234}},
        .golden = "08051107000000000000001802720a086410c801200128d209",
    },
    {
        .name = "ready-failed",
        .message = {.type = WIRE_READY,
                    .session = 7,
                    .job = 2,
                    .as.ready = {.error = TEXT("no workload \"downlaod\"")}},
        .golden = "0805110700000000000000180272181a166e6f20776f726b6c6f61642022646f776e6c61"
                  "6f6422",
    },
    {
        .name = "chunks",
        .message = {.type = WIRE_CHUNKS,
                    .session = 7,
                    .job = 2,
                    .ack = 41,
                    .as.chunks = {.count = 3,
                                  .id = U64(11, 12, 13),
                                  .first = U64(0, 1000, 3000),
                                  .items = U64(1000, 2000, 300),
                                  .attempt = U32(1, 1, 2)}},
        .golden = "0806110700000000000000180220297a410a180b000000000000000c000000000000000d"
                  "0000000000000012180000000000000000e803000000000000b80b0000000000001a06e8"
                  "07d00fac022203010102",
    },
    {
        .name = "chunks-payload",
        .message = {.type = WIRE_CHUNKS,
                    .session = 7,
                    .job = 2,
                    .as.chunks = {.count = 2,
                                  .id = U64(21, 22),
                                  .first = U64(5, 7),
                                  .items = U64(2, 1),
                                  .attempt = U32(1, 3),
                                  .payload_len = U32(70, 300)}},
        .golden = "080611070000000000000018027a310a1015000000000000001600000000000000121005"
                  "0000000000000007000000000000001a020201220201032a0346ac02",
    },
    {
        .name = "results",
        .message = {.type = WIRE_RESULTS,
                    .session = 7,
                    .job = 2,
                    .as.results = {.seq = 42,
                                   .credit = 3,
                                   .count = 3,
                                   .id = U64(11, 12, 13),
                                   .attempt = U32(1, 1, 2),
                                   .ok = U64(1000, 1999, 299),
                                   .failed = U64(0, 1, 1),
                                   .checksum = U64(1, 0xffffffffffffffff, 0x0123456789abcdef),
                                   .bytes_out = U64(8000, 15992, 2392),
                                   .run_us = U64(100000, 200000, 30000),
                                   .error_count = 2,
                                   .error_at = U32(1, 2),
                                   .error_index = U64(1500, 3299),
                                   .error_text = error_texts,
                                   .cpu_us = 330000}},
        .golden = "0807110700000000000000180282018701082a10031a180b000000000000000c00000000"
                  "0000000d0000000000000022030101022a06e807cf0fab0232030001013a180100000000"
                  "000000ffffffffffffffffefcdab89674523014206c03ef87cd8124a09a08d06c09a0cb0"
                  "ea01520201025a04dc0be319620f485454502073746174757320343034620974696d6564"
                  "206f757468909214",
    },
    {
        .name = "results-none",
        .message =
            {.type = WIRE_RESULTS, .session = 7, .job = 2, .as.results = {.seq = 43, .credit = 64}},
        .golden = "08071107000000000000001802820104082b1040",
    },
    {
        .name = "ack",
        .message = {.type = WIRE_ACK, .session = 7, .ack = 43},
        .golden = "0808110700000000000000202b",
    },
    {
        .name = "heartbeat",
        .message = {.type = WIRE_HEARTBEAT,
                    .session = 7,
                    .job = 2,
                    .as.heartbeat = {.items_done = 3300, .held = 5, .cpu_us = 330001}},
        .golden = "080911070000000000000018028a010908e419100518919214",
    },
    {
        .name = "cancel",
        .message = {.type = WIRE_CANCEL, .session = 7, .job = 2},
        .golden = "080a1107000000000000001802",
    },
    {
        .name = "drain",
        .message = {.type = WIRE_DRAIN, .session = 7},
        .golden = "080b110700000000000000",
    },
    {
        .name = "returned",
        .message = {.type = WIRE_RETURNED,
                    .session = 7,
                    .job = 2,
                    .as.returned = {.id = U64(14, 15), .count = 2}},
        .golden = "080c11070000000000000018029201120a100e000000000000000f00000000000000",
    },
    {
        .name = "bye",
        .message = {.type = WIRE_BYE, .session = 7, .as.reject = {.text = TEXT("all done")}},
        .golden = "080d1107000000000000009a010a0a08616c6c20646f6e65",
    },
    /* --- new in 1.1 --- */
    {
        .name = "hello-minor-1",
        .message = {.type = WIRE_HELLO,
                    .as.hello = {.protocol_major = 1,
                                 .protocol_minor = 1,
                                 .build = TEXT("0.2.0"),
                                 .name = TEXT("w2"),
                                 .host = TEXT("node-8"),
                                 .nonce = 0x1122334455667788,
                                 .pid = 4712,
                                 .cores = 2,
                                 .strategies = 1 << STRATEGY_SERIAL,
                                 .credit_max = 8192,
                                 .workloads = workloads,
                                 .workload_count = 1}},
        .golden = "0801523d097175617274657431100118012205302e322e302a02773232066e6f64652d38"
                  "398877665544332211400248025208646f776e6c6f616458804060e824",
    },
    {
        .name = "job-records",
        .message = {.type = WIRE_JOB,
                    .session = 7,
                    .job = 3,
                    .as.job_spec = {.workload = TEXT("squares"),
                                    .strategy = STRATEGY_THREADS,
                                    .records = true}},
        .golden = "080411070000000000000018036a0d0a077371756172657320024001",
    },
    {
        .name = "job-plugin",
        .message = {.type = WIRE_JOB,
                    .session = 7,
                    .job = 4,
                    .as.job_spec = {.workload = TEXT("thumbs"),
                                    .strategy = STRATEGY_PROCESSES,
                                    .slots = 8,
                                    .plugin_hash = HASH,
                                    .plugin_size = 268435456}},
        .golden = "080411070000000000000018046a340a067468756d6273200428084a20e3b0c44298fc1c"
                  "149afbf4c8996fb92427ae41e4649b934ca495991b7852b855508080808001",
    },
    {
        .name = "results-records",
        .message = {.type = WIRE_RESULTS,
                    .session = 7,
                    .job = 3,
                    .as.results = {.seq = 44,
                                   .credit = 2,
                                   .count = 2,
                                   .id = U64(31, 32),
                                   .attempt = U32(1, 1),
                                   .ok = U64(1, 20),
                                   .checksum = U64(1, 2),
                                   .run_us = U64(10, 200),
                                   .cpu_us = 330002,
                                   .records_len = U32(48, 1048576)}},
        .golden = "0807110700000000000000180382013f082c10021a101f00000000000000200000000000"
                  "0000220201012a0201143a10010000000000000002000000000000004a030ac801689292"
                  "14720430808040",
    },
    {
        .name = "fetch",
        .message =
            {.type = WIRE_FETCH, .session = 7, .job = 4, .as.fetch = {.hash = HASH, .offset = 0}},
        .golden = "080e1107000000000000001804a201220a20e3b0c44298fc1c149afbf4c8996fb92427ae"
                  "41e4649b934ca495991b7852b855",
    },
    {
        .name = "part",
        .message = {.type = WIRE_PART,
                    .session = 7,
                    .job = 4,
                    .ack = 44,
                    .as.fetch = {.hash = HASH, .offset = 1048576}},
        .golden = "080f1107000000000000001804202caa01260a20e3b0c44298fc1c149afbf4c8996fb924"
                  "27ae41e4649b934ca495991b7852b85510808040",
    },
    /* --- new in 1.2 --- */
    {
        .name = "holding",
        .message = {.type = WIRE_HOLDING,
                    .session = 8,
                    .job = 3,
                    .as.chunks = {.count = 3,
                                  .id = U64(31, 0x0200000000000021, 40),
                                  .first = U64(0, 21, 1000000000000),
                                  .items = U64(20, 1, 300),
                                  .attempt = U32(1, 2, 300)}},
        .golden = "08101108000000000000001803b201400a181f0000000000000021000000000000022800"
                  "0000000000001218000000000000000015000000000000000010a5d4e80000001a041401"
                  "ac0222040102ac02",
    },
    {
        .name = "heartbeat-coming",
        .message = {.type = WIRE_HEARTBEAT,
                    .session = 8,
                    .job = 3,
                    .as.heartbeat =
                        {.items_done = 3300, .held = 5, .cpu_us = 330001, .coming = 1048640}},
        .golden = "080911080000000000000018038a010d08e41910051891921420c08040",
    },
    /* --- new in 1.3 --- */
    {
        .name = "probe",
        .message = {.type = WIRE_PROBE,
                    .as.probe = {.protocol_major = 1,
                                 .protocol_minor = 3,
                                 .build = TEXT("0.1.0"),
                                 .host = TEXT("node-7"),
                                 .seq = 5,
                                 .want = 1048576}},
        .golden = "0811ba0122097175617274657431100118032205302e312e302a066e6f64652d37300538"
                  "808040",
    },
    {
        .name = "echo",
        .message = {.type = WIRE_ECHO,
                    .as.echo = {.protocol_major = 1,
                                .protocol_minor = 3,
                                .build = TEXT("0.1.0"),
                                .host = TEXT("head"),
                                .seq = 5,
                                .received_us = 1700000000000000,
                                .sent_us = 1700000000000042,
                                .got = 65536,
                                .workers = 4,
                                .workers_max = 16384,
                                .files_max = 1048576,
                                .files_left = 1048000,
                                .running = true}},
        .golden = "0812c20142097175617274657431100118032205302e312e302a04686561643005388080"
                  "f9c0c1c4820340aa80f9c0c1c48203488080045004588080016080804068c0fb3f7001",
    },
    {
        .name = "heartbeat-tempo",
        .message = {.type = WIRE_HEARTBEAT, .session = 8, .as.heartbeat = {.heartbeat_ms = 20000}},
        .golden = "08091108000000000000008a010428a09c01",
    },
};

const size_t wire_sample_count = COUNT_OF(wire_samples);

static unsigned nibble(char digit)
{
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a') + 10;
}

size_t wire_sample_golden(const struct wire_sample *sample, unsigned char *ret_bytes, size_t size)
{
    size_t digits = 0;
    memset(ret_bytes, 0, size);
    for (const char *s = sample->golden; *s != '\0'; s++) {
        if (isspace((unsigned char)*s)) {
            continue;
        }
        CHECK(digits / 2 < size);
        unsigned high = ret_bytes[digits / 2];
        ret_bytes[digits / 2] = (unsigned char)(high << 4 | nibble(*s));
        digits++;
    }
    CHECK(digits % 2 == 0);
    return digits / 2;
}
