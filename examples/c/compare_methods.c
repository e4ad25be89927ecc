/* What two methods make of a question, and how many rows went through the network for it, side by
 * side in one engine: compare_methods MODEL QUESTION METHOD METHOD */
#include <inttypes.h>
#include <stdio.h>
#include <unmask/c.h>

static unmask_status submit(unmask_engine* engine, const unmask_model* model, const char* question,
                            const char* method, int64_t* id) {
  char with_method[200];
  const char* const options[] = {"preset=exact", "gen_length=32", with_method, NULL};
  unmask_request* request = NULL;
  unmask_status status;
  snprintf(with_method, sizeof with_method, "method=%s", method);
  status = unmask_prepare(model, question, options, &request);
  if (status == UNMASK_OK) status = unmask_engine_submit(engine, request, NULL, NULL, id);
  unmask_request_free(request); /* the engine keeps what it needs */
  return status;
}

static unmask_status show(unmask_engine* engine, int64_t id, const char* method) {
  unmask_result* result = NULL;
  unmask_result_info info;
  unmask_status status = unmask_engine_take(engine, id, &result);
  info.size = sizeof info;
  if (status == UNMASK_OK) status = unmask_result_get_info(result, &info);
  if (status == UNMASK_OK) {
    printf("%s: %d steps, %" PRId64 " rows: %s\n", method, info.steps, info.rows,
           unmask_result_text(result));
  }
  unmask_result_free(result);
  return status;
}

int main(int argc, char** argv) {
  unmask_model* model = NULL;
  unmask_engine* engine = NULL;
  int64_t ids[2];
  unmask_status status;
  int more = 1;
  int i;
  if (argc != 5) {
    fputs("usage: compare_methods MODEL QUESTION METHOD METHOD\n", stderr);
    return 2;
  }
  status = unmask_model_load(argv[1], NULL, &model);
  if (status == UNMASK_OK) status = unmask_engine_new(model, 2, NULL, &engine);
  for (i = 0; i < 2 && status == UNMASK_OK; ++i) {
    status = submit(engine, model, argv[2], argv[3 + i], &ids[i]);
  }
  while (status == UNMASK_OK && more) status = unmask_engine_step(engine, &more);
  for (i = 0; i < 2 && status == UNMASK_OK; ++i) status = show(engine, ids[i], argv[3 + i]);
  if (status != UNMASK_OK) fprintf(stderr, "%s\n", unmask_error_message());
  unmask_engine_free(engine);
  unmask_model_free(model);
  return status == UNMASK_OK ? 0 : 1;
}
