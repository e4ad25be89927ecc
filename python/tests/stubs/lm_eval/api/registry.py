MODELS = {}


def register_model(*names):
    def register(kind):
        for name in names:
            MODELS[name] = kind
        return kind

    return register
