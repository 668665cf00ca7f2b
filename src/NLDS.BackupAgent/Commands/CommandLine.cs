using System.CommandLine;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.WalFetch;

namespace NLDS.BackupAgent.Commands;

/// <summary>The program's face: its verbs, and what each invocation answers.</summary>
internal sealed class CommandLine
{
    /// <summary>An argument that begins with @ is that argument, not a file of further ones.</summary>
    private static readonly ParserConfiguration Literally = new() { ResponseFileTokenReplacer = null };

    private readonly CommandContext context;
    private readonly RootCommand root;

    public CommandLine(FeatureList features, Surroundings around)
    {
        context = new CommandContext(features, around);
        root = new RootCommand("Continuous backup and disaster recovery of N.L.D.S. Without a verb it runs the agent.")
        {
            context.ConfigFile,
            context.Adopt,
            RunCommand.Create(context),
            CheckCommand.Create(context),
            BackupCommand.Create(context),
            ListCommand.Create(context),
            VerifyCommand.Create(context),
            PruneCommand.Create(context),
            HoldCommand.CreateHold(context),
            HoldCommand.CreateRelease(context),
            RestoreCommand.Create(context),
            RecoverCommand.Create(context),
            DrillCommand.Create(context),
            WalFetchCommand.Create(context),
            ReadAheadCommand.Create(context),
            StatusCommand.Create(context),
            VersionCommand.Create(context),
            CompletionCommand.Create(context),
        };
        root.Add(CompletionCommand.CreateAnswer(context, root));
        HelpExamples.AddTo(root);
        root.SetAction((parse, cancellationToken) => RunCommand.RunAsync(context, parse, cancellationToken));
    }

    public async Task<int> InvokeAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        if (!WalFetchArguments.AreMeantBy(arguments))
        {
            return await context.Answering(() => ParseAndInvokeAsync(arguments, cancellationToken));
        }

        // PostgreSQL takes every small exit code for the end of its log, so this verb must not leave by one that it did not choose.
        try
        {
            var code = await ParseAndInvokeAsync(arguments, cancellationToken);
            return code is ExitCode.Done or ExitCode.WalAbsent ? code : ExitCode.WalUnknown;
        }
        catch (Exception exception)
        {
            Failure.Of(exception).WriteTo(context.Around.Error);
            return ExitCode.WalUnknown;
        }
    }

    /// <summary>What is wrong with a command line; nothing when it can be invoked.</summary>
    internal IEnumerable<string> Complaints(IReadOnlyList<string> arguments) => root.Parse(arguments, Literally).Errors.Select(error => error.Message);

    private async Task<int> ParseAndInvokeAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var parse = root.Parse(arguments, Literally);
        if (parse.Errors.Count > 0)
        {
            foreach (var error in parse.Errors)
            {
                context.Around.Error.WriteLine(error.Message);
            }

            context.Around.Error.WriteLine("Add --help for what can be written here.");
            return ExitCode.Usage;
        }

        return await parse.InvokeAsync(
            new InvocationConfiguration
            {
                Output = context.Around.Out,
                Error = context.Around.Error,
                EnableDefaultExceptionHandler = false,

                // Signals are the process's business; see Program.
                ProcessTerminationTimeout = null,
            },
            cancellationToken);
    }
}
