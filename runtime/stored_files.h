/* Files that hold many pictures of one size. All of it is read when it is opened: 3 KiB for a picture of CIFAR.
 *
 * CIFAR's binary version: a folder. Each record is the class as a byte (with 100 classes the coarse one before it,
 * which is passed over) and 32 x 32 bytes of red, of green and of blue. Names of the classes are in a text, one a line.
 *   cifar10:  data_batch_1.bin to data_batch_5.bin, test_batch.bin; batches.meta.txt
 *   cifar100: train.bin, test.bin; fine_label_names.txt
 * IDX, MNIST's format: two files, each as it is or packed by gzip. Big-endian words: 0x00000803, count, height, width,
 * then the grey pixels; and 0x00000801, count, then the classes. Classes are 0 to the largest that occurs.
 *
 * What is cut, or longer than it says, or has a class that there is not, is RT_DATA: the message has the file and the
 * byte. */
#ifndef CNNC_RUNTIME_STORED_FILES_H
#define CNNC_RUNTIME_STORED_FILES_H

#include "stored.h"

/* Each fills a zeroed s; on failure what it has got so far is for stored_free. */
bool stored_cifar10(Stored *s, const char *folder, bool training, RtError *err);
bool stored_cifar100(Stored *s, const char *folder, bool training, RtError *err);
bool stored_idx(Stored *s, const char *images, const char *labels, RtError *err);

#endif
