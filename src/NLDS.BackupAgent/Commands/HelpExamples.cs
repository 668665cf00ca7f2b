using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace NLDS.BackupAgent.Commands;

/// <summary>Behind the help of a verb, how it is used.</summary>
internal static class HelpExamples
{
    /// <summary>By the verb's words; the empty one is the program itself.</summary>
    public static readonly IReadOnlyDictionary<string, IReadOnlyList<string>> All = new Dictionary<string, IReadOnlyList<string>>
    {
        [""] =
        [
            "check                                     is everything there that a backup needs?",
            "run                                       protect what is configured, until SIGTERM",
            "list                                      what can be restored, to when",
            "restore postgres --target-directory /var/lib/postgresql/restored --plan",
            "recover database --plan",
        ],
        ["backup"] = ["backup postgres", "backup mark before-release                one recovery point in all sources"],
        ["list"] = ["list", "list postgres --json"],
        ["verify"] = ["verify                                    every byte of all sources", "verify postgres --new                     what is not proven yet"],
        ["prune"] = ["prune --plan                              what would be removed, and why the rest is kept", "prune"],
        ["restore"] = ["restore postgres --target-directory /restored", "restore redis --target-directory /restored --to 2026-11-23T14:03:17Z", "restore kubernetes --mode plan"],
        ["restore postgres"] =
        [
            "restore postgres --target-directory /restored --plan",
            "restore postgres --target-directory /restored --to 2026-11-23T14:03:17Z",
            "restore postgres --target-directory /restored --to mark:before-release",
            "restore postgres --if-empty --target-directory /var/lib/postgresql/data/pgdata",
            "restore postgres --at-next-start --to 2026-11-23T14:03:17Z",
        ],
        ["restore kubernetes"] = ["restore kubernetes --mode plan", "restore kubernetes --namespace nlds-copy", "restore kubernetes --only secrets,deployments/nlds-api"],
        ["recover"] = ["recover pod", "recover database --plan", "recover cluster --to mark:before-release --yes"],
        ["recover database"] = ["recover database --plan", "recover database --source postgres,redis --to 2026-11-23T14:03:17Z", "recover database --undo"],
        ["recover cluster"] = ["recover cluster --plan", "recover cluster --with application-data --yes"],
        ["recover pod"] = ["recover pod", "recover pod postgres-0 --replace"],
        ["drill"] = ["drill", "drill postgres --random", "drill --mode kubernetes"],
        ["completion"] = ["completion bash > /etc/bash_completion.d/nlds-backup"],
    };

    public static void AddTo(RootCommand root)
    {
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new WithExamples((HelpAction)help.Action!);
    }

    private sealed class WithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        /// <summary>Whoever asks for help need not have written the rest.</summary>
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var code = help.Invoke(parseResult);
            var output = parseResult.InvocationConfiguration.Output;
            if (All.TryGetValue(PathOf(parseResult.CommandResult.Command), out var examples))
            {
                output.WriteLine("Examples:");
                foreach (var example in examples)
                {
                    output.WriteLine($"  nlds-backup {example}");
                }

                output.WriteLine();
            }

            return code;
        }

        private static string PathOf(Command command)
        {
            List<string> words = [];
            for (Symbol? symbol = command; symbol is Command and not RootCommand; symbol = symbol.Parents.FirstOrDefault())
            {
                words.Insert(0, symbol.Name);
            }

            return string.Join(' ', words);
        }
    }
}
