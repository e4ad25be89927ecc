"""Random conversations, with what people do to templates: markers, odd white space, empty texts."""

WORDS = ["Hello", "what is", "<|im_end|>", "<|eot_id|>", "</think>", "<think>hm</think>", "{{ x }}", "{% raw %}", "\n", "  ",
         "é", "日本", "😀", "\u2003", "\\", '"', "'", "<role>HUMAN</role>", "[INST]", "&<>", "\t", "\u0085", "\x1c", "0"]


def text(source):
    return source.choice(["", " "]).join(source.choice(WORDS) for _ in range(source.randrange(6)))


def value(source, depth=2):
    kinds = ["text", "int", "real", "bool", "none"] + (["list", "dict"] if depth else [])
    kind = source.choice(kinds)
    if kind == "list":
        return [value(source, depth - 1) for _ in range(source.randrange(3))]
    if kind == "dict":
        return {text(source): value(source, depth - 1) for _ in range(source.randrange(3))}
    return {"text": text(source), "int": source.randrange(-9, 10**12), "real": source.choice([0.5, 1e20, 1e-7, -2.0, 3.0]),
            "bool": source.random() < 0.5, "none": None}[kind]


def tool(source):
    properties = {name: {"type": "string", "description": text(source)} for name in source.sample(["city", "unit", "день"], source.randrange(3))}
    return {"type": "function", "function": {"name": source.choice(["get_weather", "add", "ищи"]), "description": text(source),
            "parameters": {"type": "object", "properties": properties, "required": list(properties)[:1]}}}


def call(source):
    arguments = {source.choice(["city", "unit", "день"]): value(source) for _ in range(source.randrange(3))}
    function = {"name": source.choice(["get_weather", "add"]), "arguments": arguments}
    return {"type": "function", "id": "call00001", "function": function} if source.random() < 0.7 else function


def conversation(source):
    """The variables of a chat template."""
    messages = []
    if source.random() < 0.4:
        messages.append({"role": "system", "content": text(source)})
    for _ in range(source.randrange(4)):
        messages.append({"role": "user", "content": text(source)})
        answer = {"role": "assistant", "content": text(source)}
        if source.random() < 0.2:
            answer["reasoning_content"] = text(source)
        if source.random() < 0.3:
            answer["tool_calls"] = [call(source) for _ in range(source.randrange(1, 3))]
        messages.append(answer)
        if "tool_calls" in answer:
            for _ in answer["tool_calls"]:
                messages.append({"role": "tool", "name": "add", "tool_call_id": "call00001", "content": text(source)})
            messages.append({"role": "assistant", "content": text(source)})
    if not messages or source.random() < 0.9:
        messages.append({"role": source.choice(["user"] * 9 + ["robot"]), "content": text(source)})
    data = {"messages": messages, "tools": [tool(source) for _ in range(source.randrange(1, 3))] if source.random() < 0.5 else None,
            "add_generation_prompt": source.random() < 0.7, "bos_token": "<s>", "eos_token": "</s>"}
    if source.random() < 0.3:
        data["enable_thinking"] = source.random() < 0.5
    return data
