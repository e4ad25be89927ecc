// Chat templates that the program brings, for models without one of their own.
#pragma once

#include <array>
#include <string_view>

namespace unmask {

struct BuiltInTemplate {
  std::string_view name;
  std::string_view source;
};

/// llada: LLaDA, which always ends with the assistant's header. chatml: Qwen2.5 and Dream, with a
/// default system text. qwen3: the same without, and with thoughts, which are left out of earlier
/// answers. llada-moe: LLaDA-MoE and LLaDA2, as Ling writes it.
constexpr std::array<BuiltInTemplate, 4> kBuiltInTemplates{{
    {"llada", R"jinja({%- for message in messages %}
    {{- '<|startoftext|>' if loop.first }}
    {{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' }}
    {{- message.content | trim + '<|eot_id|>' }}
{%- endfor %}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }})jinja"},

    {"chatml",
     R"jinja({%- set system = messages[0].content if messages[0].role == 'system' else 'You are a helpful assistant.' %}
{{- '<|im_start|>system\n' + system }}
{%- if tools %}
    {{- '\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n' }}
    {{- 'You are provided with function signatures within <tools></tools> XML tags:\n<tools>' }}
    {%- for tool in tools %}
        {{- '\n' + tool | tojson }}
    {%- endfor %}
    {{- '\n</tools>\n\nFor each function call, return a json object with function name and arguments ' }}
    {{- 'within <tool_call></tool_call> XML tags:\n<tool_call>\n' }}
    {{- '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>' }}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- for message in messages %}
    {%- if message.role == 'assistant' and message.tool_calls %}
        {{- '<|im_start|>assistant' + ('\n' + message.content if message.content else '') }}
        {%- for call in message.tool_calls %}
            {{- '\n<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
            {{- call.function.arguments | tojson + '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user' if loop.first or loop.previtem.role != 'tool' }}
        {{- '\n<tool_response>\n' + message.content + '\n</tool_response>' }}
        {{- '<|im_end|>\n' if loop.last or loop.nextitem.role != 'tool' }}
    {%- elif message.role not in ['system', 'user', 'assistant'] %}
        {{- raise_exception("found the role '" + message.role + "', expected system, user, assistant or tool") }}
    {%- elif not (loop.first and message.role == 'system') %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{{- '<|im_start|>assistant\n' if add_generation_prompt }})jinja"},

    {"qwen3",
     R"jinja({%- set system = messages[0].content if messages[0].role == 'system' else '' %}
{%- if tools %}
    {{- '<|im_start|>system\n' + (system + '\n\n' if messages[0].role == 'system' else '') }}
    {{- '# Tools\n\nYou may call one or more functions to assist with the user query.\n\n' }}
    {{- 'You are provided with function signatures within <tools></tools> XML tags:\n<tools>' }}
    {%- for tool in tools %}
        {{- '\n' + tool | tojson }}
    {%- endfor %}
    {{- '\n</tools>\n\nFor each function call, return a json object with function name and arguments ' }}
    {{- 'within <tool_call></tool_call> XML tags:\n<tool_call>\n' }}
    {{- '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + system + '<|im_end|>\n' }}
{%- endif %}
{%- set asked = namespace(last=messages | length - 1) %}
{%- for message in messages %}
    {%- set asked.last = loop.index0 if message.role == 'user' else asked.last %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {%- set parts = message.content.split('</think>') %}
        {%- set thoughts = parts[0].split('<think>')[-1].strip('\n') if parts | length > 1 else '' %}
        {%- set answer = parts[-1].lstrip('\n') if parts | length > 1 else message.content %}
        {{- '<|im_start|>assistant\n' }}
        {%- if loop.index0 > asked.last and (loop.last or thoughts) %}
            {{- '<think>\n' + thoughts + '\n</think>\n\n' + answer.lstrip('\n') }}
        {%- else %}
            {{- answer }}
        {%- endif %}
        {%- for call in message.tool_calls or [] %}
            {{- '\n' if answer or not loop.first }}
            {{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
            {{- call.function.arguments | tojson + '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user' if loop.first or loop.previtem.role != 'tool' }}
        {{- '\n<tool_response>\n' + message.content + '\n</tool_response>' }}
        {{- '<|im_end|>\n' if loop.last or loop.nextitem.role != 'tool' }}
    {%- elif message.role not in ['system', 'user'] %}
        {{- raise_exception("found the role '" + message.role + "', expected system, user, assistant or tool") }}
    {%- elif not (loop.first and message.role == 'system') %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {{- '<think>\n\n</think>\n\n' if enable_thinking is defined and enable_thinking is false }}
{%- endif %})jinja"},

    {"llada-moe",
     R"jinja({%- set names = {'system': 'SYSTEM', 'user': 'HUMAN', 'assistant': 'ASSISTANT'} %}
{%- if messages[0].role != 'system' %}
    {{- '<role>SYSTEM</role>detailed thinking off<|role_end|>' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role not in names %}
        {{- raise_exception("found the role '" + message.role + "', expected system, user or assistant") }}
    {%- endif %}
    {{- '<role>' + names[message.role] + '</role>' + message.content + '<|role_end|>' }}
{%- endfor %}
{{- '<role>ASSISTANT</role>' if add_generation_prompt }})jinja"},
}};

}  // namespace unmask
