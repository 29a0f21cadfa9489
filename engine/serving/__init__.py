"""The engine behind the interfaces that other tools speak: llama.cpp's, OpenAI's, Mercury's."""
