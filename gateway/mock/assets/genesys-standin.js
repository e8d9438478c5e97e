/* MOCK: stands in for genesys.min.js. */
