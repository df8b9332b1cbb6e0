import { createServer } from 'node:net';
import { Aedes } from 'aedes';

/** The demo's broker: aedes in a process of its own, which can be killed like any other. */
const port = Number(process.argv[2] ?? 0);
const broker = await Aedes.createBroker();
const server = createServer(broker.handle);
server.listen(port, '127.0.0.1', () => process.send?.({ address: server.address() }));
process.once('disconnect', () => process.exit(0));
