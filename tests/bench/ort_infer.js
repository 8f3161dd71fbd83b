// node ort_infer.js MODEL.onnx THREADS RUNS: prints the median time of one run in milliseconds.
// onnxruntime-node is looked for from the current folder, so run it in the peers' folder.
'use strict';
const ort = require(require.resolve('onnxruntime-node', { paths: [process.cwd()] }));

async function main(model, threads, runs) {
    const session = await ort.InferenceSession.create(model, {
        intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all', executionMode: 'sequential',
    });
    const shape = session.inputMetadata[0].shape.map(Number);
    const pixels = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, Math.random);
    const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', pixels, shape) };
    await session.run(feeds);
    const times = [];
    for (let i = 0; i < runs; i++) {
        const start = process.hrtime.bigint();
        await session.run(feeds);
        times.push(Number(process.hrtime.bigint() - start) / 1e6);
    }
    times.sort((a, b) => a - b);
    console.log(times[times.length >> 1].toFixed(3));
}

main(process.argv[2], Number(process.argv[3]), Number(process.argv[4]));
