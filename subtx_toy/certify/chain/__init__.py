"""Networks that are chains of layers, beyond perceptrons: linear, convolution, average pooling, layer normalisation."""
