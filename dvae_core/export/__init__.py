"""Models for other programs: a decoder plan for the browser, ONNX, and scikit-learn's interface."""
