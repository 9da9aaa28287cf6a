"""Training a HOG template: crops, a linear SVM, hard negatives."""
