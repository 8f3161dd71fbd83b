// node peer_ort.js MODEL.onnx BATCH THREADS: onnxruntime as bench.sh asks for it (see peers.py for the protocol).
// onnxruntime-node is looked for from the current folder, so run it in the peers' folder.
'use strict';
const readline = require('readline');
const where = require.resolve('onnxruntime-node', { paths: [process.cwd()] });
const ort = require(where);
const { version } = require(require.resolve('onnxruntime-node/package.json', { paths: [process.cwd()] }));

// The same numbers in every peer, so that results can be compared.
function pixels(n) {
    const x = new Float32Array(n);
    for (let i = 0; i < n; i++) x[i] = (i * 7919 % 1000) / 500 - 1;
    return x;
}

async function measure(session, feeds, seconds) {
    const times = [];
    const begin = process.hrtime.bigint();
    do {
        const start = process.hrtime.bigint();
        await session.run(feeds);
        times.push(Number(process.hrtime.bigint() - start) / 1e6);
    } while (Number(process.hrtime.bigint() - begin) / 1e9 < seconds);
    times.sort((a, b) => a - b);
    return times[times.length >> 1].toFixed(4);
}

async function main(model, batch, threads) {
    const session = await ort.InferenceSession.create(model, {
        intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all', executionMode: 'sequential',
    });
    const shape = session.inputMetadata[0].shape.map(Number);
    if (shape[0] !== batch) throw new Error(`${model} is for batch ${shape[0]}`);
    const image = new ort.Tensor('float32', pixels(shape.reduce((a, b) => a * b, 1)), shape);
    const feeds = { [session.inputNames[0]]: image };
    await session.run(feeds);
    console.log(`onnxruntime ${version}`);
    for await (const line of readline.createInterface({ input: process.stdin })) {
        if (line === 'scores') {
            const scores = (await session.run(feeds))[session.outputNames[0]];
            console.log(Array.from(scores.data.subarray(0, scores.dims[1])).join(' '));
        } else {
            console.log(await measure(session, feeds, Number(line)));
        }
    }
}

main(process.argv[2], Number(process.argv[3]), Number(process.argv[4])).catch((e) => {
    console.error(String(e));
    process.exit(70);
});
