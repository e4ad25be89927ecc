/* The C interface of unmask, which runs diffusion language models; for other languages, too.
 *
 *   unmask_model* model = NULL;
 *   unmask_result* result = NULL;
 *   const char* const options[] = {"gen_length=64", "preset=fast", NULL};
 *   if (unmask_model_load("models/demo", NULL, &model) != UNMASK_OK ||
 *       unmask_ask(model, "Text: ... Question: ...", options, &result) != UNMASK_OK) {
 *     fprintf(stderr, "%s\n", unmask_error_message());
 *   } else {
 *     puts(unmask_result_text(result));
 *   }
 *   unmask_result_free(result);
 *   unmask_model_free(model);
 *
 * Every function that can fail returns a status and leaves what it should have written alone then,
 * and unmask_error_message() says why. A handle that is NULL or of another kind is
 * UNMASK_MISUSE; what was freed may not be used. Text is UTF-8 with a zero at its end. Options are
 * texts NAME=VALUE with NULL behind the last, or NULL; docs/library.md lists their names.
 *
 * Any thread may call anything. What computes (unmask_generate, unmask_score, unmask_decide,
 * unmask_engine_step) takes turns with a model. No exception comes out of this interface.
 */
#ifndef UNMASK_C_H
#define UNMASK_C_H

#include <stddef.h>
#include <stdint.h>

#include "unmask/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum unmask_status {
  UNMASK_OK = 0,
  UNMASK_INVALID = 1,       /* an argument, an option or a file cannot be used */
  UNMASK_CHAT_TEMPLATE = 2, /* the model has none, or one that cannot be run */
  UNMASK_DEVICE = 3,        /* there is no such device, or it cannot compute this */
  UNMASK_WEIGHTS = 4,       /* weights of this type cannot be had here */
  UNMASK_SPECIAL_TOKEN = 5, /* the files do not say which token masks or ends a text */
  UNMASK_SCHEMA = 6,        /* a JSON schema that cannot be promised */
  UNMASK_NOT_FINITE = 7,    /* computing gave no numbers */
  UNMASK_MEMORY = 8,        /* more than there is, or than was allowed */
  UNMASK_CANCELLED = 9,     /* somebody ended the work */
  UNMASK_SYSTEM = 10,       /* the system refuses threads or files */
  UNMASK_MISUSE = 11,       /* a handle or a call that its documentation excludes */
  UNMASK_DEFECT = 12        /* of unmask itself */
} unmask_status;

typedef struct unmask_model unmask_model;
typedef struct unmask_request unmask_request; /* a canvas that is ready to be denoised */
typedef struct unmask_result unmask_result;
typedef struct unmask_engine unmask_engine; /* many requests at a time */
typedef struct unmask_cancellation unmask_cancellation;

/* The version of the library, and what the last call of this thread that failed had to say; valid
 * until the next one that fails. Never NULL. */
UNMASK_API const char* unmask_version(void);
UNMASK_API const char* unmask_error_message(void);

/* Models. `path` is a folder as the hub publishes it, a GGUF or packed file, or ORG/NAME of what
 * was downloaded; the names of options are those of unmask::LoadOptions. Requests, results and
 * engines of a model keep it alive. Freeing NULL does nothing, here as below. */
UNMASK_API unmask_status unmask_model_load(const char* path, const char* const* options,
                                           unmask_model** model);
UNMASK_API void unmask_model_free(unmask_model* model);

/* Grows at its end only: the caller says with `size` how much of it there is, sizeof it. */
typedef struct unmask_model_info {
  size_t size;
  int32_t vocab_size, layers, dim, heads, kv_heads, max_positions, threads;
  int32_t mask_token;
  int64_t parameters;
  int64_t weight_bytes; /* in memory */
} unmask_model_info;
UNMASK_API unmask_status unmask_model_get_info(const unmask_model* model, unmask_model_info* info);

/* Tokens of a text, and text of tokens. `*count` (`*length`, without the zero) is how many there
 * are in all; those that `capacity` has room for are written, of the text with a zero behind them.
 * The buffer may be NULL where `capacity` is 0. unmask_decode_plain() leaves out special tokens. */
UNMASK_API unmask_status unmask_encode(const unmask_model* model, const char* text, int32_t* tokens,
                                       size_t capacity, size_t* count);
UNMASK_API unmask_status unmask_decode(const unmask_model* model, const int32_t* tokens,
                                       size_t count, char* text, size_t capacity, size_t* length);
UNMASK_API unmask_status unmask_decode_plain(const unmask_model* model, const int32_t* tokens,
                                             size_t count, char* text, size_t capacity,
                                             size_t* length);

/* Requests: a question, a conversation, tokens to go on with, a text whose holes ("___", "___{12}")
 * are filled, as the answer to `question` where that is not NULL. The names of options are those of
 * unmask::RequestOptions. */
typedef struct unmask_message {
  const char* role; /* "system", "user", "assistant" */
  const char* content;
} unmask_message;
UNMASK_API unmask_status unmask_prepare(const unmask_model* model, const char* prompt,
                                        const char* const* options, unmask_request** request);
UNMASK_API unmask_status unmask_prepare_chat(const unmask_model* model,
                                             const unmask_message* messages, size_t count,
                                             const char* const* options, unmask_request** request);
UNMASK_API unmask_status unmask_prepare_tokens(const unmask_model* model, const int32_t* tokens,
                                               size_t count, const char* const* options,
                                               unmask_request** request);
UNMASK_API unmask_status unmask_prepare_fill(const unmask_model* model, const char* text,
                                             const char* question, const char* const* options,
                                             unmask_request** request);
UNMASK_API void unmask_request_free(unmask_request* request);

/* What a request begins with: its canvas of prompt and masks, valid as long as the request is (NULL
 * for a handle that is none), and what options and model made of it. */
typedef struct unmask_request_info {
  size_t size;           /* as in unmask_model_info */
  int32_t prompt_tokens; /* before the first that is to be found */
  int32_t block_length;
  int32_t steps; /* as many as are asked for; fewer where a threshold decides */
} unmask_request_info;
UNMASK_API const int32_t* unmask_request_tokens(const unmask_request* request, size_t* count);
UNMASK_API unmask_status unmask_request_get_info(const unmask_request* request,
                                                 unmask_request_info* info);

/* What a step did. Its pointers are valid during the callback. */
typedef struct unmask_decision {
  int32_t position;
  int32_t token;
  float confidence;
} unmask_decision;
typedef struct unmask_step_event {
  int64_t request;     /* of an engine */
  int32_t step;        /* from 0 */
  int32_t total_steps; /* at most */
  int32_t block_begin, block_end;
  const int32_t* tokens; /* the canvas after the step */
  size_t n_tokens;
  const unmask_decision* decided;
  size_t n_decided;
  int32_t mask_token; /* stands in `tokens` for those that are open */
  int32_t masks_left;
  int32_t rows;    /* positions that went through the network */
  int32_t settled; /* positions from the beginning on that no later step changes */
  double seconds;  /* since the request's first step began */
} unmask_step_event;
/* Called after each step on the thread that steps; 0 cancels the request. It must not make the
 * model work. May be NULL. */
typedef int (*unmask_step_callback)(const unmask_step_event* event, void* user);

/* Ends work from any thread, in the midst of a step, too. Once raised it stays so. */
UNMASK_API unmask_status unmask_cancellation_new(unmask_cancellation** cancellation);
UNMASK_API unmask_status unmask_cancel(const unmask_cancellation* cancellation);
UNMASK_API void unmask_cancellation_free(unmask_cancellation* cancellation);

/* Denoises a request on this thread; `on_step`, `user` and `cancellation` may be NULL. A cancelled
 * one has a result, too. unmask_ask() is unmask_prepare() and unmask_generate() in one. */
UNMASK_API unmask_status unmask_generate(const unmask_model* model, const unmask_request* request,
                                         unmask_step_callback on_step, void* user,
                                         const unmask_cancellation* cancellation,
                                         unmask_result** result);
UNMASK_API unmask_status unmask_ask(const unmask_model* model, const char* prompt,
                                    const char* const* options, unmask_result** result);

/* Results. Pointers are valid as long as the result is; NULL for a handle that is none. */
typedef enum unmask_finish {
  UNMASK_FINISH_STOP = 0,     /* an end token */
  UNMASK_FINISH_LENGTH = 1,   /* the canvas is full */
  UNMASK_FINISH_CANCELLED = 2 /* somebody ended it */
} unmask_finish;
typedef struct unmask_result_info {
  size_t size;                      /* as in unmask_model_info */
  int32_t finish;                   /* unmask_finish */
  int32_t answer_begin, answer_end; /* generated positions before the first end token */
  int32_t answer_tokens, masks_left, steps, forward_passes;
  int64_t rows;
  double seconds, seconds_to_first_text;
  int32_t cached_tokens; /* positions of the prompt that came from the option "prefix_cache" */
} unmask_result_info;
UNMASK_API const char* unmask_result_text(const unmask_result* result);
UNMASK_API const int32_t* unmask_result_tokens(const unmask_result* result, size_t* count);
UNMASK_API unmask_status unmask_result_get_info(const unmask_result* result,
                                                unmask_result_info* info);
UNMASK_API void unmask_result_free(unmask_result* result);

/* Engines: requests of one model side by side, `max_running` (at least 1) at most. */
UNMASK_API unmask_status unmask_engine_new(const unmask_model* model, int32_t max_running,
                                           const unmask_cancellation* cancellation,
                                           unmask_engine** engine);
UNMASK_API unmask_status unmask_engine_submit(unmask_engine* engine, const unmask_request* request,
                                              unmask_step_callback on_step, void* user,
                                              int64_t* id);
/* One step of those who run; `*more` is 0 when nothing runs or waits. */
UNMASK_API unmask_status unmask_engine_step(unmask_engine* engine, int* more);
/* Ends a request before the next step; its result is what there is by then. */
UNMASK_API unmask_status unmask_engine_cancel(unmask_engine* engine, int64_t id);
/* Whether a request has ended, and its result, once. */
UNMASK_API unmask_status unmask_engine_ended(const unmask_engine* engine, int64_t id, int* ended);
UNMASK_API unmask_status unmask_engine_take(unmask_engine* engine, int64_t id,
                                            unmask_result** result);
UNMASK_API void unmask_engine_free(unmask_engine* engine);

/* How likely the model finds an answer: natural logarithm, and the standard error of the estimate
 * from `samples` maskings. */
UNMASK_API unmask_status unmask_score(const unmask_model* model, const char* prompt,
                                      const char* answer, int32_t samples, uint64_t seed,
                                      const unmask_cancellation* cancellation,
                                      double* log_likelihood, double* standard_error);

/* Which of `count` options (at least 2) answers a question about a text; without options (count 0)
 * yes and no. `probabilities` gets as many numbers, which sum to 1. */
UNMASK_API unmask_status unmask_decide(const unmask_model* model, const char* state,
                                       const char* question, const char* const* choices,
                                       size_t count, const unmask_cancellation* cancellation,
                                       double* probabilities);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* UNMASK_C_H */
