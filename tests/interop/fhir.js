// What the npm package `fhir` says of a resource: fhir.js FOLDER_OF_THE_PACKAGE FILE; messages as JSON.
const { Fhir } = require(require.resolve("fhir", { paths: [process.argv[2]] }));
const fs = require("fs");
const resource = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));
const { messages } = new Fhir().validate(resource, { errorOnUnexpected: true });
process.stdout.write(JSON.stringify(messages));
