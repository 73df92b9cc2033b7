// Judges messages as the receiving service's own library does: `node judge.js teams|discord`, a JSON array of messages
// on stdin, and on stdout an array of what is wrong with each.

const { isDeepStrictEqual } = require("node:util");

const judges = {
    // The parser of Adaptive Cards leaves out what the card's version does not have, and says so.
    teams(message) {
        const { AdaptiveCard, GlobalRegistry, SerializationContext, Version } = require("adaptivecards/dist/adaptivecards.js");
        const given = message.attachments[0].content;
        const context = new SerializationContext(Version.parse(given.version, new SerializationContext()));
        context.setElementRegistry(GlobalRegistry.elements);
        context.setActionRegistry(GlobalRegistry.actions);
        const card = new AdaptiveCard();
        card.parse(given, context);
        const events = Array.from({ length: context.eventCount }, (_, index) => context.getEventAt(index));
        return [...events, ...card.validateProperties().validationEvents].map((event) => event.message);
    },

    // The builder refuses what is longer than Discord takes.
    discord(message) {
        const { EmbedBuilder } = require("@discordjs/builders");
        return message.embeds.flatMap((given) => {
            try {
                const embed = new EmbedBuilder().setTitle(given.title).setDescription(given.description);
                embed.setURL(given.url ?? null).setFooter(given.footer);
                const made = JSON.parse(JSON.stringify(embed));
                return isDeepStrictEqual(made, given) ? [] : [`is not ${JSON.stringify(made)}`];
            } catch (error) {
                return (error.errors ?? [error]).map(String);
            }
        });
    },
};

let read = "";
process.stdin.on("data", (chunk) => (read += chunk));
process.stdin.on("end", () => console.log(JSON.stringify(JSON.parse(read).map(judges[process.argv[2]]))));
